import { Redis } from 'ioredis';

/** What a Redis server has done so far: commands, and seconds of CPU. */
export async function redisFigures(url: string): Promise<{ commands: number; cpuSeconds: number }> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  try {
    const commands = await redis.info('commandstats');
    const calls = [...commands.matchAll(/^cmdstat_[^:]+:calls=(\d+)/gm)].map(([, count]) => Number(count));
    const cpu = await redis.info('cpu');
    const used = [...cpu.matchAll(/^used_cpu_(?:sys|user):(\S+)/gm)].map(([, seconds]) => Number(seconds));
    const sum = (numbers: number[]) => numbers.reduce((all, number) => all + number, 0);
    return { commands: sum(calls), cpuSeconds: sum(used) };
  } finally {
    redis.disconnect();
  }
}
