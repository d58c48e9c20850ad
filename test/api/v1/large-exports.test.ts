import { afterAll, beforeAll, expect, it } from 'vitest';
import { type App, bodyOf, startApp } from '../start-app.ts';

/** Filters of almost a mebibyte: the most that a body may bring. */
const filter = (n: number) => ({
  actor_id: Array.from({ length: 240 }, (_, index) => `${n}-${index}-${'x'.repeat(4_080)}`),
});
const count = 12;

let app: App;
let call: App['admin'];
let first: string;
beforeAll(async () => {
  app = await startApp();
  ({ call } = await app.newTenant());
  for (let n = 0; n < count; n++) {
    const { id } = await bodyOf(call('/v1/exports', { json: { format: 'csv', filter: filter(n) } }));
    first ??= id;
  }
}, 60_000);
afterAll(() => app.close());

it('A page of exports with large filters ends before its limit, and the next ones have the rest, each once', async () => {
  const pages: string[][] = [];
  let cursor = '';
  for (let more = true; more; ) {
    const { data, meta } = await bodyOf(call(`/v1/exports?limit=100${cursor}`));
    pages.push(data.map((each: { id: string }) => each.id));
    more = meta.has_more;
    cursor = `&cursor=${meta.next_cursor}`;
  }
  expect(pages.map((ids) => ids.length)).toEqual([9, 3]);
  expect(new Set(pages.flat()).size).toBe(count);
  const small = await bodyOf(call('/v1/exports?limit=3'));
  expect([small.data.length, small.meta.has_more]).toEqual([3, true]);
});

it('A stream of progress does not repeat a filter of more than 4 KiB, and the export itself has it', async () => {
  const reader = (await call(`/v1/exports/${first}/events`)).body!.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  const [, told] = /^data: (.*)$/m.exec(value!)!;
  const shown = await bodyOf(call(`/v1/exports/${first}`));
  expect(shown.filter).toEqual(filter(0));
  const { progress: _, ...rest } = JSON.parse(told!);
  expect({ ...shown, progress: undefined }).toMatchObject({ ...rest, filter: filter(0) });
  expect(rest.filter).toBeNull();
  await reader.cancel();
  const brief = await bodyOf(call('/v1/exports', { json: { format: 'csv', filter: { action: 'a' } } }));
  const short = (await call(`/v1/exports/${brief.id}/events`)).body!.pipeThrough(new TextDecoderStream()).getReader();
  expect((await short.read()).value).toContain('"filter":{"action":"a"}');
  await short.cancel();
});
