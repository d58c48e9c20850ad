import { describe, expect, it } from 'vitest';
import { openByteBudget } from '../../../core/limits/byte-budget.ts';
import { memoryKinds, sharesOf } from '../../../core/limits/memory.ts';
import { makeMetrics } from '../../../core/metrics.ts';
import { readMetrics, valueIn } from '../read-metrics.ts';

/** Of `replies` a byte is held for a byte. A tenant has a third. */
function open(limitBytes = 3_000) {
  const metrics = makeMetrics();
  const budget = openByteBudget(limitBytes, metrics);
  const of = (name: string) => budget.open(sharesOf({ name }, limitBytes));
  const stranger = (address: string) => budget.open(sharesOf({ address }, limitBytes));
  const heldOf = async (kind: string) => valueIn(await families(), 'logferry_memory_held_bytes', { kind });
  const families = async () => readMetrics((await metrics.scrape()).text);
  const figures = async () => ({
    held: await heldOf('replies'),
    refused: valueIn(await families(), 'logferry_memory_refused_total', { kind: 'replies' }),
  });
  return { of, stranger, figures, heldOf };
}

const unavailable = { type: 'unavailable', headers: { 'Retry-After': '5' } };

describe('A byte budget', () => {
  it('refuses a tenant what is beyond its share, while another goes on', async () => {
    const { of, figures } = open();
    await of('a').take('replies', 900);
    await expect(of('a').take('replies', 200, 10)).rejects.toMatchObject({
      ...unavailable,
      message: expect.stringContaining('Your requests'),
    });
    await of('b').take('replies', 200);
    expect(await figures()).toEqual({ held: 1_100, refused: 1 });
  });

  it('lets a request that is alone take all that it asks for, and the oldest of a tenant go on to its end', async () => {
    const { of } = open();
    const first = of('a');
    await first.take('replies', 2_000);
    await first.take('replies', 2_000);
    await expect(of('b').take('replies', 10, 10)).rejects.toMatchObject({
      message: expect.stringContaining('that this process has'),
    });
    first.end();
    await of('b').take('replies', 10, 10);
  });

  it('refuses all when the whole is taken, whoever took it', async () => {
    const { of } = open();
    for (const name of ['a', 'b', 'c']) await of(name).take('replies', 1_000);
    await expect(of('d').take('replies', 1, 10)).rejects.toMatchObject(unavailable);
  });

  it('gives what becomes free to those who wait, the first of them first, past those whose share is taken', async () => {
    const { of } = open();
    const entered: string[] = [];
    const holding = of('a');
    await holding.take('replies', 1_000);
    const second = of('a');
    const waiting = [
      second.take('replies', 600).then(() => entered.push('second')),
      of('a')
        .take('replies', 600, 50)
        .then(
          () => entered.push('third'),
          () => entered.push('third refused'),
        ),
      of('b')
        .take('replies', 600)
        .then(() => entered.push('other')),
    ];
    await waiting[2];
    holding.give('replies', 700);
    await Promise.all(waiting);
    expect(entered).toEqual(['other', 'second', 'third refused']);
  });

  it('holds as many bytes for one of a kind as its table says, counts what is there already, and gives all back at the end', async () => {
    const { of, heldOf, figures } = open(1_000_000);
    const holding = of('a');
    await holding.take('bodies', 10);
    expect(await heldOf('bodies')).toBe(10 * memoryKinds.bodies.heldPerByte);
    holding.note('replies', 5_000_000);
    await expect(of('a').take('replies', 1, 10)).rejects.toMatchObject(unavailable);
    holding.giveAll('bodies');
    holding.end();
    holding.end();
    holding.give('replies', 1);
    expect(await figures()).toEqual({ held: 0, refused: 1 });
    await expect(holding.take('replies', 1)).rejects.toMatchObject({ type: 'bad_request' });
  });

  it('has who waits fail at once when its client has gone, and keeps what it holds until it ends', async () => {
    const { of, figures } = open();
    await of('a').take('replies', 1_000);
    const holding = of('a');
    holding.note('replies', 10);
    const waiting = holding.take('replies', 500);
    holding.close();
    await expect(waiting).rejects.toMatchObject({ type: 'bad_request' });
    expect((await figures()).held).toBe(1_010);
  });

  it('gives strangers a share by address, and another to all of them', async () => {
    const { stranger, of } = open(2_400);
    await stranger('192.0.2.1').take('replies', 100);
    await expect(stranger('192.0.2.1').take('replies', 1, 10)).rejects.toMatchObject(unavailable);
    for (const n of [2, 3, 4]) await stranger(`192.0.2.${n}`).take('replies', 100);
    await expect(stranger('192.0.2.5').take('replies', 1, 10)).rejects.toMatchObject(unavailable);
    await of('a').take('replies', 800);
  });
});
