import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { findRedis, type Stop } from '../../local/services/find-redis.ts';
import { findS3 } from '../../local/services/find-s3.ts';
import { isMissing } from '../../local/services/missing.ts';
import { shareRedis } from './redis-databases.ts';

/**
 * S3 and Redis for the whole run, each started when the first test file asks for it, over HTTP: `GET /s3`, `GET /redis`
 * (each time another database), `DELETE /redis?url=…` (gives one back), `GET /missing` (what was asked for in vain, and why).
 */
export async function serveServices(): Promise<{ url: string; stop: Stop }> {
  const stops: Stop[] = [];
  const answer = answerer(stops);
  const server = createServer((request, response) => {
    answer(request.method!, new URL(request.url!, 'http://localhost')).then(
      (body) => response.writeHead(200).end(JSON.stringify(body)),
      (error: Error) => response.writeHead(500).end(JSON.stringify(error.message)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      for (const stop of stops.splice(0)) await stop();
    },
  };
}

function answerer(stops: Stop[]): (method: string, url: URL) => Promise<unknown> {
  const missing: Record<string, string> = {};
  const s3 = onFirstCall(() => findS3(stops));
  const redis = onFirstCall(async () => {
    const found = await findRedis(stops);
    if (isMissing(found)) return found;
    const databases = await shareRedis(found.url);
    stops.unshift(databases.empty);
    return databases;
  });
  const answers: Record<string, (url: URL) => Promise<unknown>> = {
    'GET /s3': async () => {
      const found = await s3();
      if (isMissing(found)) missing.S3 = found.missing;
      return found;
    },
    'GET /redis': async () => {
      const found = await redis();
      if (!isMissing(found)) return { url: await found.lend() };
      missing.Redis = found.missing;
      return found;
    },
    'DELETE /redis': async (url) => {
      const found = await redis();
      if (!isMissing(found)) await found.giveBack(url.searchParams.get('url')!);
      return null;
    },
    'GET /missing': async () => missing,
  };
  return async (method, url) => {
    const answer = answers[`${method} ${url.pathname}`];
    if (!answer) throw new Error(`No answer to ${method} ${url.pathname}`);
    return answer(url);
  };
}

function onFirstCall<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= work();
    return result;
  };
}
