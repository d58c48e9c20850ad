import { createWriteStream } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { contend } from './contend.ts';

/** A client that takes the stream of events into a file: bytes, and the milliseconds to the first of them. */
await contend<{ url: string; key: string; path: string }>(async ({ url, key, path }) => {
  const started = performance.now();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { headers: { authorization: `Bearer ${key}` } }, resolve).once('error', reject);
  });
  if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}`);
  let bytes = 0;
  let firstByteMs = Number.NaN;
  response.on('data', (chunk: Buffer) => {
    if (bytes === 0) firstByteMs = performance.now() - started;
    bytes += chunk.length;
  });
  await pipeline(response, createWriteStream(path));
  return { bytes, firstByteMs };
});
