import { setTimeout as wait } from 'node:timers/promises';
import { queueNames } from '../../core/queue/queue.ts';
import type { Fleet } from './fleet.ts';

const everyMs = 250;
/** Milliseconds. The longest wait of an export is the one before its fourth try, of a message the lease of its worker. */
const limits = { exports: 150_000, deliveries: 120_000, queue: 45_000 };

/**
 * Waits until all exports have ended, all messages are delivered and the queue is empty.
 * @returns what did not come to an end in time
 */
export async function untilSettled({ pool, redis }: Fleet): Promise<string[]> {
  const unfinished = async () => {
    const { rows } = await pool.query(
      `select id, status, epoch, failures, crashes, lease_until, retry_at, cancel_requested_at, error from exports
       where status in ('queued', 'running')`,
    );
    return rows.map((row) => `does not end: ${JSON.stringify(row)}`);
  };
  const undelivered = async () => {
    const { rows } = await pool.query(
      `select id, type, tries, claimed, next_attempt_at, attempts from deliveries where status = 'pending'`,
    );
    return rows.map((row) => `is not delivered: ${JSON.stringify(row)}`);
  };
  return [
    ...(await untilEmpty(unfinished, limits.exports)),
    ...(await untilEmpty(undelivered, limits.deliveries)),
    ...(await untilEmpty(() => jobsIn(redis), limits.queue)),
  ];
}

async function untilEmpty(find: () => Promise<string[]>, withinMs: number): Promise<string[]> {
  for (const deadline = Date.now() + withinMs; ; await wait(everyMs)) {
    const found = await find();
    if (found.length === 0 || Date.now() > deadline) return found;
  }
}

/** Jobs that wait, wait for their time, or count as being worked on; none is kept once it has ended. */
async function jobsIn(redis: Fleet['redis']): Promise<string[]> {
  const found: string[] = [];
  for (const queue of Object.values(queueNames)) {
    const read = (command: string, list: string) => redis.command(command, `{logferry}:${queue}:${list}`, 0, -1);
    const lists = [read('LRANGE', 'wait'), read('LRANGE', 'active'), read('ZRANGE', 'delayed')];
    const ids = (await Promise.all(lists)) as string[][];
    found.push(...ids.flat().map((id) => `the queue ${queue} still holds ${id}`));
  }
  return found;
}
