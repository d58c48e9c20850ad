import { setTimeout as wait } from 'node:timers/promises';
import { fetchApi } from '../../local/call-api.ts';
import { percentile } from '../spread.ts';
import { contend } from './contend.ts';

type Job = { url: string; key: string; id: string; forMs: number };

const everyMs = 20;
/** So many at least, however short the run: a percentile of a few says nothing. */
const leastLooks = 60;

/** A client that looks at an export again and again: how long a look takes, in milliseconds. */
await contend<Job>(async ({ url, key, id, forMs }) => {
  const look = async (): Promise<number> => {
    const started = performance.now();
    await (await fetchApi({ url, key }, `/v1/exports/${id}`)).text();
    return performance.now() - started;
  };
  await look(); // The first one loads what fetch needs, and connects.
  const took: number[] = [];
  for (
    const end = performance.now() + forMs;
    took.length < leastLooks || performance.now() < end;
    await wait(everyMs)
  ) {
    took.push(await look());
  }
  return { looks: took.length, p50Ms: percentile(took, 50), p95Ms: percentile(took, 95) };
});
