import { describe, expect, it } from 'vitest';
import { eventBatcher } from '../../../api/ingest/event-batcher.ts';
import { AppError } from '../../../core/errors.ts';
import type { NewEvent } from '../../../core/events/event-columns.ts';
import type { StoredEvent } from '../../../prisma/events/append.ts';
import { newEvent } from '../../prisma/event-database.ts';

/** A database that writes when it is told to: what each flush holds, and the means to let it through or fail. */
function heldWrites() {
  const flushes: { tenantId: string; actions: string[]; settle: (error?: unknown) => void }[] = [];
  let tell = () => {};
  let told = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const write = (tenantId: string, events: readonly NewEvent[]) =>
    new Promise<StoredEvent[]>((resolve, reject) => {
      const stored = events.map(({ action }) => ({ id: action }) as StoredEvent);
      const settle = (error?: unknown) => (error === undefined ? resolve(stored) : reject(error));
      flushes.push({ tenantId, actions: events.map((event) => event.action), settle });
      tell();
    });
  return {
    write,
    flushes,
    /** The flush of this number, counted from 0, once it has begun. */
    async flush(index: number) {
      while (!flushes[index]) {
        await told;
        told = new Promise((resolve) => {
          tell = resolve;
        });
      }
      return flushes[index];
    },
  };
}

const named = (...actions: string[]) => actions.map((action) => newEvent({ action }));
const ids = async (stored: Promise<StoredEvent[]>) => (await stored).map((each) => each.id);

describe('eventBatcher', () => {
  it('writes the first request at once, and those that come meanwhile together', async () => {
    const held = heldWrites();
    const { append } = eventBatcher(held.write);
    const first = append('t', named('a'));
    const others = [append('t', named('b', 'c')), append('t', named('d'))];
    expect((await held.flush(0)).actions).toEqual(['a']);
    held.flushes[0]!.settle();
    expect((await held.flush(1)).actions).toEqual(['b', 'c', 'd']);
    held.flushes[1]!.settle();
    expect(await Promise.all([first, ...others].map(ids))).toEqual([['a'], ['b', 'c'], ['d']]);
    expect(held.flushes).toHaveLength(2);
  });

  it('bounds a flush, but never splits a request', async () => {
    const held = heldWrites();
    const { append } = eventBatcher(held.write, { flushEvents: 3 });
    const done = ['a', 'b1 b2', 'c', 'd', 'e1 e2 e3 e4', 'f'].map((names) => append('t', named(...names.split(' '))));
    for (let i = 0; i < 5; i++) (await held.flush(i)).settle();
    await Promise.all(done);
    expect(held.flushes.map((flush) => flush.actions.join(' '))).toEqual(['a', 'b1 b2 c', 'd', 'e1 e2 e3 e4', 'f']);
  });

  it('writes tenants side by side, so many at a time, in turns', async () => {
    const held = heldWrites();
    const { append } = eventBatcher(held.write, { tenantsAtOnce: 2 });
    const done = ['x', 'y', 'z', 'x'].map((tenant, i) => append(tenant, named(`${tenant}${i}`)));
    await held.flush(1);
    expect(held.flushes.map((flush) => flush.tenantId)).toEqual(['x', 'y']);
    for (let i = 0; i < 4; i++) (await held.flush(i)).settle();
    await Promise.all(done);
    expect(held.flushes.map((flush) => flush.actions[0])).toEqual(['x0', 'y1', 'z2', 'x3']);
  });

  it('tries one by one what the database refused together, so that one request fails alone', async () => {
    const held = heldWrites();
    const { append } = eventBatcher(held.write);
    const done = ['a', 'b', 'bad', 'c'].map((name) => append('t', named(name)).catch((error: Error) => error.message));
    const refused = Object.assign(new Error('refused'), { code: '22P02' });
    (await held.flush(0)).settle();
    (await held.flush(1)).settle(refused);
    for (let i = 2; i < 5; i++)
      (await held.flush(i)).settle(held.flushes[i]!.actions[0] === 'bad' ? refused : undefined);
    expect(await Promise.all(done)).toMatchObject([[{ id: 'a' }], [{ id: 'b' }], 'refused', [{ id: 'c' }]]);
  });

  it.each([
    ['a lost connection, as it may have committed', new Error('Connection terminated unexpectedly')],
    ['a tenant that does not exist', new AppError('not_found', 'no tenant')],
  ])('does not try again after %s', async (_name, failure) => {
    const held = heldWrites();
    const { append, idle } = eventBatcher(held.write);
    const done = ['a', 'b', 'c'].map((name) => append('t', named(name)).catch((error: Error) => error));
    (await held.flush(0)).settle();
    (await held.flush(1)).settle(failure);
    expect((await Promise.all(done)).slice(1)).toEqual([failure, failure]);
    await idle();
    expect(held.flushes).toHaveLength(2);
  });

  it('goes on after a failure, and is idle when all is settled', async () => {
    const held = heldWrites();
    const { append, idle } = eventBatcher(held.write);
    await idle();
    const failed = append('t', named('a')).catch(() => 'failed');
    let idleNow = false;
    const waiting = idle().then(() => {
      idleNow = true;
    });
    (await held.flush(0)).settle(new Error('no'));
    expect(await failed).toBe('failed');
    await waiting;
    expect(idleNow).toBe(true);
    const next = append('t', named('b'));
    (await held.flush(1)).settle();
    expect(await ids(next)).toEqual(['b']);
  });
});
