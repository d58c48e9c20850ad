import { expect, it } from 'vitest';
import { redisService, s3Service } from '../services/services.ts';
import { chaosSizes, runChaos } from './run-chaos.ts';

const [s3, redis] = [await s3Service(), await redisService()];
const seed = Number(process.env.TEST_SEED ?? 20261122);

// `npm run chaos -- --short --seed N` does the same, says what it does, and keeps the logs of the processes if asked to.
it.skipIf('missing' in s3 || 'missing' in redis)(
  `Exports of many processes are neither lost nor doubled, whatever is killed (seed ${seed})`,
  async () => {
    if ('missing' in s3) return;
    const { mistakes, figures } = await runChaos({
      ...chaosSizes.short,
      seed,
      s3,
      say() {},
      keepIn: process.env.CHAOS_KEEP,
    });
    expect({ mistakes, seed, figures }).toMatchObject({ mistakes: [] });
  },
  300_000,
);
