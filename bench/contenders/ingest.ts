import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { ingestBatches } from '../ingest-batches.ts';
import { contend } from './contend.ts';

type Job = { url: string; keys: string[]; forMs: number };

/** A client for each key that posts batches, one after the other, for so long. */
await contend<Job>(async ({ url, keys, forMs }) => {
  const agent = new Agent({ keepAlive: true });
  const batches = ingestBatches.map((events) => Buffer.from(`{"events":[${events.join(',')}]}`));
  const post = async (key: string, body: Buffer): Promise<void> => {
    const headers = {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      'content-length': body.length,
    };
    const outgoing = request(`${url}/v1/events/batch`, { method: 'POST', agent, headers });
    const { promise, resolve, reject } = Promise.withResolvers<import('node:http').IncomingMessage>();
    outgoing.once('response', resolve).once('error', reject).end(body);
    const response = await promise;
    if (response.statusCode !== 201) {
      throw new Error(`A batch was answered with ${response.statusCode}: ${await text(response)}`);
    }
    // Taken, and not looked at: what a client does with it is no part of the work.
    response.resume();
    await once(response, 'end');
  };
  let events = 0;
  const started = performance.now();
  await Promise.all(
    keys.map(async (key, client) => {
      for (let turn = client; performance.now() - started < forMs; turn++) {
        await post(key, batches[turn % batches.length]!);
        events += ingestBatches[0]!.length;
      }
    }),
  );
  return { eventsPerSecond: events / ((performance.now() - started) / 1000) };
});
