import { demoEvents } from '../local/demo/demo-events.ts';

const batches = 20;
const batchEvents = 1_000;
const log = { rows: batches * batchEvents, seed: 1, until: new Date('2026-01-01T00:00:00Z'), days: 90 };
const lines = [...demoEvents(log)].join('').trimEnd().split('\n');

/** Batches of 1,000 events, each as JSON text, as a product sends them: without ids of their own. */
export const ingestBatches: string[][] = Array.from({ length: batches }, (_, i) =>
  lines.slice(i * batchEvents, (i + 1) * batchEvents),
);
