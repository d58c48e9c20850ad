import { ask } from '../ask.ts';
import type { Attack, Stage } from '../attack.ts';
import { flood } from '../flood.ts';

const search = (words: number) => Array.from({ length: words }, (_, n) => `nowhere${n}`).join(' ');
const criteria = { 'a.b.c': { $ne: 'x' }, n: { $gte: -1, $lt: 0 }, region: { $exists: false } };

const read =
  (path: string, connections: number) =>
  (stage: Stage): Promise<void> =>
    flood(stage, connections, ask(stage, path));

export const reads: Attack[] = [
  {
    name: '40 searches by 8 words at a time',
    bound: 'four lists of a tenant at a time, half of the pool in all, given up after 10 seconds',
    isShort: true,
    run: read(`/v1/events?search=${encodeURIComponent(search(8))}`, 40),
  },
  {
    name: '40 lists by metadata criteria at a time',
    bound: 'four lists of a tenant at a time, half of the pool in all, given up after 10 seconds',
    run: read(`/v1/events?metadata=${encodeURIComponent(JSON.stringify(criteria))}`, 40),
  },
  {
    name: '40 searches by 121 words at a time',
    bound: 'a search takes 8 words',
    run: read(`/v1/events?search=${encodeURIComponent(search(121))}`, 40),
  },
  {
    name: '40 lists sorted by a field without an index',
    bound: 'four lists of a tenant at a time, half of the pool in all, given up after 5 seconds',
    run: read('/v1/events?sort=description&limit=100', 40),
  },
  {
    name: '20 verifications and 20 estimates at a time',
    bound: 'one of a tenant and four in all at a time; the others wait 30 seconds at most',
    run: (stage) =>
      Promise.all([
        flood(stage, 20, ask(stage, '/v1/verify')),
        flood(stage, 20, ask(stage, '/v1/exports/estimate', { body: '{"format":"csv"}' })),
      ]).then(() => {}),
  },
];
