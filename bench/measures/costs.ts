import type { Bench, Measure } from '../bench.ts';
import { exportOnce } from '../contenders/export-contenders.ts';
import { countRequests } from '../count-requests.ts';
import type { Deployment } from '../deployment.ts';
import type { Line } from '../line.ts';
import { redisFigures } from '../redis-figures.ts';
import type { Sample } from '../rounds.ts';

/** What an export costs, for those who reckon how many machines they need. Figures are of one export each. */
export type Costs = Record<string, Sample>;

/** Not a target: what PostgreSQL, Redis, S3 and our processes have to do for an export into S3. */
export const costs: Measure = { ids: ['costs'], engines: { queue: 'redis', storage: 's3' }, take };

const requests = {
  CSV: { format: 'csv' },
  'CSV, gzip': { format: 'csv', compression: 'gzip' },
  'NDJSON, gzip': { format: 'ndjson', compression: 'gzip' },
};

async function take(bench: Bench, deployment: Deployment): Promise<Line[]> {
  const { redis, s3 } = bench.servers;
  if (!('url' in redis) || !('service' in s3)) return [];
  const counter = await countRequests(s3.service.endpoint);
  try {
    await deployment.setWorkers(1, { settings: { S3_ENDPOINT: counter.url } });
    const table: Costs = {};
    for (const [name, request] of Object.entries(requests)) {
      bench.signal.throwIfAborted();
      await exportOnce(bench, deployment, { log: bench.logs.main, request });
      const [before, requestsBefore] = [await redisFigures(redis.url), counter.count()];
      const sample = await exportOnce(bench, deployment, { log: bench.logs.main, request });
      const after = await redisFigures(redis.url);
      table[name] = {
        ...sample,
        s3Requests: counter.count() - requestsBefore,
        redisCommands: after.commands - before.commands,
        redisCpu: after.cpuSeconds - before.cpuSeconds,
      };
    }
    bench.figures.costs = table;
    return [];
  } finally {
    await deployment.setWorkers(0);
    await counter.close();
  }
}
