import { runExport } from '../run-export.ts';
import { percentile } from '../spread.ts';
import { contend } from './contend.ts';

type Job = { url: string; key: string; request: object; times: number };

/** A client that makes one small export after the other: from POST to the reply that says completed, in milliseconds. */
await contend<Job>(async ({ url, key, request, times }) => {
  const took: number[] = [];
  // The first ones warm up the processes that answer.
  for (let time = -5; time < times; time++) {
    const started = performance.now();
    await runExport({ url, key }, request);
    if (time >= 0) took.push(performance.now() - started);
  }
  return { p50Ms: percentile(took, 50), p95Ms: percentile(took, 95) };
});
