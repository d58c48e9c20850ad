import { ask } from '../ask.ts';
import type { Attack, Stage } from '../attack.ts';
import { flood } from '../flood.ts';

const mebibyte = 2 ** 20;

/** A batch of one event that has so many members. */
const batchOfMembers = (members: number, nameOf: (n: number) => string): string =>
  `{"events":[{"action":"abuse.members","metadata":{${Array.from({ length: members }, (_, n) => `"${nameOf(n)}":1`)}}}]}`;

const escaped = (n: number): string => `\\u0061${n.toString(36)}`;

/** As many events as a batch takes, each with as many members as fit. */
const fullBatch = (): string => {
  const metadata = `{${Array.from({ length: 900 }, (_, n) => `"${escaped(n)}":"${n}"`)}}`;
  return `{"events":[${Array.from({ length: 900 }, () => `{"action":"abuse.full","metadata":${metadata}}`)}]}`;
};

const posted =
  (body: () => string, connections: number) =>
  (stage: Stage): Promise<void> =>
    flood(stage, connections, ask(stage, '/v1/events/batch', { body: body() }));

export const json: Attack[] = [
  {
    name: '15 MiB of JSON with 900,000 escaped keys in one event',
    bound: 'members of one event are counted before parsing',
    isShort: true,
    run: posted(() => batchOfMembers(900_000, escaped), 2),
  },
  {
    name: '15 MiB of JSON with 1.25 million plain keys in one event',
    bound: 'members of one event are counted before parsing',
    run: posted(() => batchOfMembers(1_250_000, (n) => n.toString(36)), 2),
  },
  {
    name: 'batches as large as allowed, full of escaped keys',
    bound: 'large bodies are parsed in slices',
    run: posted(fullBatch, 2),
  },
  {
    name: 'arrays nested a million levels deep',
    bound: 'depth is counted before parsing',
    run: posted(() => `{"events":[{"action":"a","metadata":{"a":${'['.repeat(mebibyte)}`, 4),
  },
  {
    name: 'export filters of 900 KB',
    bound: 'a filter of more than 4 KiB is not repeated in events, webhooks and streams',
    isShort: true,
    run(stage) {
      const actorIds = Array.from({ length: 1000 }, (_, n) => `user-${n}-${'x'.repeat(880)}`);
      const body = JSON.stringify({ format: 'csv', filter: { actor_id: actorIds } });
      return flood(stage, 4, ask(stage, '/v1/exports', { body, headers: { prefer: 'wait=1' } }));
    },
  },
];
