import { describe, expect, it } from 'vitest';
import { liveness, type ReadinessCheck, readiness, readinessChecks } from '../../core/health.ts';
import { makeLog } from '../../core/log.ts';
import { QueueAwayError, QueueLosesJobsError } from '../../core/queue/queue.ts';
import { NoRoomError } from '../../core/storage/store-full.ts';
import { heardLog } from '../api/heard-log.ts';

const log = makeLog('silent');
const fine = async () => {};
const fails = (error: Error) => () => Promise.reject(error);

/** The checks of a process whose queue answers like this. */
const withQueue = (process: 'api' | 'worker', check: () => Promise<void>): ReadinessCheck[] =>
  readinessChecks(
    {
      database: { pool: { query: fine } },
      schema: { check: fine },
      store: { check: fine },
      queue: { check },
      logs: { check: fine },
    },
    process,
  );

describe('Readiness', () => {
  it('is there when database, storage and queue are', async () => {
    expect(await readiness(withQueue('api', fine), log)()).toEqual({
      status: 200,
      headers: { 'Cache-Control': 'no-store' },
      body: {
        status: 'ok',
        checks: { database: 'ok', schema: 'ok', storage: 'ok', queue: 'ok', log: 'ok' },
        not_ready: [],
        warnings: [],
      },
    });
  });

  it('of an API warns of a queue that is away, and stays', async () => {
    const away = fails(new QueueAwayError('Redis does not answer'));
    expect(await readiness(withQueue('api', away), log)()).toMatchObject({
      status: 200,
      body: { status: 'ok', checks: { queue: 'away' }, not_ready: [], warnings: ['queue'] },
    });
  });

  it('of an API warns of a queue that refuses it, as of one that is away, and of a storage', async () => {
    const refusing = fails(new Error('Redis rejects the connection: WRONGPASS'));
    expect(await readiness(withQueue('api', refusing), log)()).toMatchObject({
      status: 200,
      body: { warnings: ['queue'] },
    });
    const parts = {
      database: { pool: { query: fine } },
      schema: { check: fine },
      queue: { check: fine },
      logs: { check: fine },
    };
    const checks = (process: 'api' | 'worker') => readinessChecks({ ...parts, store: { check: refusing } }, process);
    expect(await readiness(checks('api'), log)()).toMatchObject({ status: 200, body: { warnings: ['storage'] } });
    expect(await readiness(checks('worker'), log)()).toMatchObject({ status: 503, body: { not_ready: ['storage'] } });
  });

  it('of an API warns of a storage that is full, and asks for its room only when it is there', async () => {
    const parts = {
      database: { pool: { query: fine } },
      schema: { check: fine },
      queue: { check: fine },
      logs: { check: fine },
    };
    const room = { check: fails(new NoRoomError('all is used')) };
    const ask = (store: () => Promise<void>) =>
      readiness(readinessChecks({ ...parts, store: { check: store }, room }, 'api'), log)();
    expect(await ask(fine)).toMatchObject({
      status: 200,
      body: { status: 'ok', checks: { storage: 'full' }, not_ready: [], warnings: ['storage'] },
    });
    const { body } = await ask(fails(new Error('no answer')));
    expect(body).toMatchObject({ checks: { storage: 'away' }, warnings: ['storage'] });
  });

  it('of an API ends with a queue that would lose jobs', async () => {
    const evicting = fails(new QueueLosesJobsError('maxmemory-policy is allkeys-lru'));
    expect(await readiness(withQueue('api', evicting), log)()).toMatchObject({
      status: 503,
      headers: { 'Retry-After': '5' },
      body: { status: 'unavailable', checks: { queue: 'not ready' }, not_ready: ['queue'], warnings: [] },
    });
  });

  it('of a worker ends with a queue that is away: nothing would come to it', async () => {
    const away = fails(new QueueAwayError('Redis does not answer'));
    expect(await readiness(withQueue('worker', away), log)()).toMatchObject({
      status: 503,
      body: { checks: { queue: 'not ready' }, not_ready: ['queue'], warnings: [] },
    });
  });

  it('asks no more than once a second, however many want to know', async () => {
    let asked = 0;
    const check = async () => void asked++;
    const ask = readiness([{ name: 'storage', check }], log);
    await Promise.all(Array.from({ length: 100 }, ask));
    expect(asked).toBe(1);
    await expect.poll(async () => (await ask()) && asked, { timeout: 3_000 }).toBe(2);
  });

  it('says why in the log, once when it ends and once when it comes back', async () => {
    const heard = heardLog();
    let isThere = false;
    const check = async () => {
      if (!isThere) throw new Error('the disk is full');
    };
    const ask = readiness([{ name: 'storage', check }], heard.log);
    await expect.poll(async () => ((await ask()).status === 503 ? heard.entries.length : 0)).toBe(1);
    expect(heard.entries[0]).toMatchObject({
      msg: 'not ready',
      check: 'storage',
      err: { message: 'the disk is full' },
    });
    isThere = true;
    await expect.poll(async () => (await ask()).status, { timeout: 3_000 }).toBe(200);
    expect(heard.entries.map((entry) => entry.msg)).toEqual(['not ready', 'ready again']);
  });
});

describe('Liveness', () => {
  it('is 200, and 503 for a process that has shown no sign of life for so long', () => {
    expect(liveness()).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(liveness(90_000)).toMatchObject({ status: 503, body: { status: 'stuck', silent_seconds: 90 } });
  });
});
