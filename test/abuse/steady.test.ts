import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask } from './ask.ts';
import type { Stage } from './attack.ts';
import { count, type Tally } from './flood.ts';
import { startTarget, type Target } from './target.ts';

/** `npm run test:steady` goes on for so long; TEST_STEADY_MINUTES changes it. Not a part of `npm test`. */
const minutes = Number(process.env.TEST_STEADY_MINUTES ?? 10);
const requestsPerSecond = 200;
const exportsAtATime = 20;
/** Those who ask: a tenant alone would meet with its own limits. */
const askers = 10;

/** Memory is seen in so many spans; the first is that of a process which still grows to its size. */
const spans = 5;
const growth = { mostRatio: 1.15, freeMib: 30 };

let target: Target;
const keys: string[] = [];
beforeAll(async () => {
  target = await startTarget({ events: 100_000 });
  for (let n = 1; n <= askers; n++) keys.push((await target.newTenant(`Asker ${n}`)).key);
}, 180_000);
afterAll(() => target?.stop());

const paths = ['/v1/events?limit=25', '/v1/events?action=user.*&limit=5', '/v1/exports?limit=5', '/v1/limits'];
const event = JSON.stringify({ action: 'steady.event', actor: { id: 'usr_1' }, metadata: { n: 1 } });

it(
  `keeps its memory flat under ${exportsAtATime} exports and ${requestsPerSecond} requests a second for ${minutes} minutes`,
  async () => {
    const ending = new AbortController();
    const tally: Tally = new Map();
    const stage: Stage = { target, signal: ending.signal, tally, sockets: new Set() };
    const work = [sendSteadily(stage), ...Array.from({ length: exportsAtATime }, () => keepExporting(stage))];
    const peaks: { api: number; worker: number }[] = [];
    for (let span = 0; span < spans; span++) {
      target.peaks();
      await wait((minutes * 60_000) / spans);
      peaks.push(target.peaks());
    }
    ending.abort();
    await Promise.all(work);
    target.stillRuns();
    console.log(JSON.stringify({ peaks, replies: Object.fromEntries(tally) }));
    expect([...tally.keys()].filter((what) => /^5|^cut|failed/.test(what))).toEqual([]);
    const [, second, ...later] = peaks;
    for (const each of later) {
      expect(each.api).toBeLessThan(second!.api * growth.mostRatio + growth.freeMib);
      expect(each.worker).toBeLessThan(second!.worker * growth.mostRatio + growth.freeMib);
    }
  },
  minutes * 60_000 + 120_000,
);

/** Sends so many a second, whatever became of those before. */
async function sendSteadily(stage: Stage): Promise<void> {
  const unfinished = new Set<Promise<void>>();
  for (let n = 0, at = performance.now(); !stage.signal.aborted; n++, at += 1000 / requestsPerSecond) {
    await wait(Math.max(0, at - performance.now()));
    const one = sendOne(stage, n);
    unfinished.add(one);
    void one.finally(() => unfinished.delete(one));
  }
  await Promise.all(unfinished);
}

async function sendOne(stage: Stage, n: number): Promise<void> {
  const isWrite = n % 2 === 0;
  const key = keys[(n >> 1) % keys.length]!;
  const path = paths[(n >> 1) % paths.length]!;
  const request = isWrite ? ask(stage, '/v1/events', { key, body: event }) : ask(stage, path, { key });
  try {
    const reply = await request(AbortSignal.timeout(60_000));
    await reply.arrayBuffer();
    count(stage.tally, reply.status);
  } catch {
    count(stage.tally, 'cut');
  }
}

/** Makes one export after the other, and waits for each. */
async function keepExporting(stage: Stage): Promise<void> {
  const body = '{"format":"csv","compression":"gzip","filter":{"through_sequence":100000}}';
  while (!stage.signal.aborted) {
    const reply = await ask(stage, '/v1/exports', { body, headers: { prefer: 'wait=30' } })(
      AbortSignal.timeout(90_000),
    );
    let { id, status } = (await reply.json()) as { id: string; status: string };
    while ((status === 'queued' || status === 'running') && !stage.signal.aborted) {
      await wait(1_000);
      ({ status } = (await (await ask(stage, `/v1/exports/${id}`)(AbortSignal.timeout(60_000))).json()) as {
        status: string;
      });
    }
    count(stage.tally, `export ${status}`);
  }
}
