import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

/** A client of GET /v1/events/export that takes only what it is told to. */
export type OpenStream = {
  reply: IncomingMessage;
  /** Takes at least so many bytes, or all there are. Fails when the connection breaks. */
  take(bytes: number): Promise<Buffer>;
  /** Takes all that is left: how many bytes, and their SHA-256. Fails when the connection breaks. */
  rest(): Promise<{ bytes: number; sha256: string }>;
  /** Takes so many bytes a second, for so long. */
  trickle(bytesPerSecond: number, forMs: number): Promise<void>;
  hangUp(): void;
};

/** Asks, and waits for the head of the reply. Nothing of the body is taken. Fails for another status than 200. */
export async function openStream(url: string, key: string, query = ''): Promise<OpenStream> {
  const request = http.request(`${url}/v1/events/export?${query}`, {
    headers: { authorization: `Bearer ${key}` },
    agent: false,
  });
  request.end();
  const [reply] = (await once(request, 'response')) as [IncomingMessage];
  if (reply.statusCode !== 200) throw new Error(`The stream was answered with ${reply.statusCode}`);
  // One that breaks while nobody takes is heard by the next who does.
  reply.on('error', () => {});
  const chunks = reply[Symbol.asyncIterator]();
  const next = async (): Promise<Buffer | undefined> => (await chunks.next()).value;
  return {
    reply,
    async take(bytes) {
      const taken: Buffer[] = [];
      for (let length = 0; length < bytes; length += taken.at(-1)!.length) {
        const chunk = await next();
        if (!chunk) break;
        taken.push(chunk);
      }
      return Buffer.concat(taken);
    },
    async rest() {
      const hash = createHash('sha256');
      let bytes = 0;
      for (let chunk = await next(); chunk; chunk = await next()) {
        hash.update(chunk);
        bytes += chunk.length;
      }
      return { bytes, sha256: hash.digest('hex') };
    },
    async trickle(bytesPerSecond, forMs) {
      const until = performance.now() + forMs;
      while (performance.now() < until) {
        await wait(100);
        reply.read(bytesPerSecond / 10);
      }
    },
    hangUp: () => void reply.destroy(),
  };
}
