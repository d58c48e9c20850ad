import { expect, test } from 'vitest';
import { readServerEvents } from '../../../local/demo/read-server-events.ts';

async function read(...chunks: Uint8Array[]) {
  async function* body() {
    yield* chunks;
  }
  const events = [];
  for await (const event of readServerEvents(body())) events.push(event);
  return events;
}

test('gives each event by name, wherever the stream was cut, inside a character too', async () => {
  const bytes = Buffer.from(
    ': hello\n\nevent: progress\ndata: {"name":"Zoë"}\n\nevent: completed\r\ndata: {"rows":\r\ndata: 2}\r\n\r\n',
  );
  const expected = [
    { event: 'progress', data: { name: 'Zoë' } },
    { event: 'completed', data: { rows: 2 } },
  ];
  expect(await read(bytes)).toEqual(expected);
  expect(await read(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(expected);
});

test('leaves out an event that the end of the stream cut', async () => {
  expect(await read(Buffer.from('data: 1\n\ndata: 2\n'))).toEqual([{ event: 'message', data: 1 }]);
});
