import { setTimeout as wait } from 'node:timers/promises';
import type { Disturbance, DisturbingProxy, S3Call } from '../disturbing-proxy.ts';
import type { RedisServer } from '../services/redis-server.ts';
import { during, type Fault } from './scene.ts';

const again = { withinMs: 30_000, everyMs: 200 };
const leastAwayMs = 500;
const longestWithoutPostgresMs = 2_000;
const disturbedMs = 3_000;

/** Has all parts go at the speed of a slow network from now on: so exports take long enough to be disturbed. */
export const slowDown = (proxy: DisturbingProxy, bytesPerSecond = 1_500_000): void =>
  proxy.disturb('part', { what: 'throttle', bytesPerSecond }, Infinity);

/** What happens to Redis, Postgres and S3. */
export const serviceFaults: Fault[] = [
  {
    name: 'empty Redis',
    async run(scene) {
      await during(scene, { fault: 'emptied', of: 'Redis' }, () => scene.fleet.redis.command('FLUSHALL'));
    },
  },
  {
    name: 'kill Redis',
    async run(scene, random) {
      await during(scene, { fault: 'away', of: 'Redis' }, async () => {
        await scene.fleet.redis.kill();
        await wait(random.integer(leastAwayMs, scene.limits.redisAwayMs));
        await restartRedis(scene.fleet.redis);
      });
    },
  },
  {
    name: 'freeze Redis',
    async run(scene, random) {
      await during(scene, { fault: 'frozen', of: 'Redis' }, async () => {
        scene.fleet.redis.freeze();
        await wait(random.integer(leastAwayMs, scene.limits.frozenMs));
        scene.fleet.redis.thaw();
      });
    },
  },
  {
    name: 'restart Postgres',
    async run(scene, random) {
      await during(scene, { fault: 'away', of: 'Postgres' }, async () => {
        await scene.fleet.postgres.crash();
        await wait(random.integer(0, longestWithoutPostgresMs));
        await scene.fleet.postgres.restart();
      });
    },
  },
  {
    name: 'cut connections of Postgres',
    async run(scene, random) {
      const share = random.integer(2, 5);
      await during(scene, { fault: 'connections cut', of: 'Postgres' }, () =>
        scene.fleet.pool.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where application_name like 'logferry%' and pid % $1 = 0`,
          [share],
        ),
      );
    },
  },
  {
    name: 'disturb S3',
    async run(scene, random) {
      await during(scene, { fault: 'disturbed', of: 'S3' }, async () => {
        const { proxy } = scene.fleet;
        // What is planned first comes first.
        proxy.calm();
        for (let i = random.integer(2, 5); i > 0; i--) {
          const { call, disturbance } = random.pick(disturbances);
          proxy.disturb(call, disturbance, random.integer(1, 3));
        }
        slowDown(proxy);
        await wait(disturbedMs);
      });
    },
  },
];

/** What networks and S3 itself do now and then. */
const disturbances: { call: S3Call; disturbance: Disturbance }[] = [
  { call: 'begin', disturbance: { what: 'lose reply' } },
  { call: 'begin', disturbance: { what: 'answer', status: 500, code: 'InternalError' } },
  { call: 'part', disturbance: { what: 'reset', afterBytes: 500_000 } },
  { call: 'part', disturbance: { what: 'lose reply' } },
  { call: 'part', disturbance: { what: 'throttle', bytesPerSecond: 2_000_000 } },
  { call: 'part', disturbance: { what: 'flip', byte: 1_000 } },
  { call: 'part', disturbance: { what: 'answer', status: 503, code: 'SlowDown', early: true } },
  { call: 'complete', disturbance: { what: 'lose reply' } },
  { call: 'complete', disturbance: { what: 'lose reply' } },
  { call: 'complete', disturbance: { what: 'reset', afterBytes: 10 } },
  { call: 'complete', disturbance: { what: 'answer', status: 503, code: 'SlowDown' } },
  { call: 'abort', disturbance: { what: 'lose reply' } },
  { call: 'head', disturbance: { what: 'answer', status: 503 } },
  { call: 'get', disturbance: { what: 'cut reply', afterBytes: 300_000 } },
  { call: 'list uploads', disturbance: { what: 'answer', status: 500, code: 'InternalError' } },
  { call: 'delete', disturbance: { what: 'lose reply' } },
];

/** On its old port, which a client of its own may have been given meanwhile to reach it. */
async function restartRedis(redis: RedisServer): Promise<void> {
  for (const deadline = Date.now() + again.withinMs; ; await wait(again.everyMs)) {
    try {
      return await redis.restart();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
