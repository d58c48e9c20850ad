import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { ForbiddenAddressError, type Lookup, webhookGuard } from '../../core/webhooks/webhook-address.ts';
import { type PostOptions, postWebhook, readRetryAfter } from '../../worker/post-webhook.ts';
import { selfSignedCertificate } from '../self-signed-certificate.ts';
import { startWebhookReceiver } from '../webhook-receiver.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanups.splice(0)) await cleanUp();
});

async function receiver(...args: Parameters<typeof startWebhookReceiver>) {
  const started = await startWebhookReceiver(...args);
  cleanups.push(started.close);
  return started;
}

const loopback: LookupAddress[] = [{ address: '127.0.0.1', family: 4 }];
const openGuard = (lookup?: Lookup) => webhookGuard({ allow: ['127.0.0.0/8'], ...(lookup ? { lookup } : {}) });

const post = (url: string, options: Partial<PostOptions> = {}) =>
  postWebhook(
    { url, headers: { 'content-type': 'application/json' }, body: '{"a":"ü"}' },
    { guard: openGuard(), deadlineMs: 5_000, ...options },
  );

test('posts the body and gives status, time and the beginning of the answer', async () => {
  const { url, received } = await receiver((response) => response.writeHead(202).end('thank you'));
  const result = await post(url);
  expect(result).toMatchObject({ statusCode: 202, error: null, excerpt: 'thank you', retryAfterMs: 0 });
  expect(result.durationMs).toBeGreaterThanOrEqual(0);
  expect(received[0]).toMatchObject({ body: '{"a":"ü"}', request: { method: 'POST', url: '/hook' } });
});

test('follows no redirect', async () => {
  const target = await receiver();
  const { url } = await receiver((response) => response.writeHead(307, { location: target.url }).end());
  const result = await post(url);
  expect(result.statusCode).toBe(307);
  expect(result.error).toContain('redirects are not followed');
  expect(target.connections()).toBe(0);
});

const loopbackForms = [
  '127.0.0.1',
  '127.1',
  '2130706433',
  '0x7f000001',
  '017700000001',
  '127%2e0.0.1',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::1]',
  '[::]',
  '0.0.0.0',
  'localhost',
  'localhost.',
  'one.example',
  'mapped.example',
  'half.example',
];

test.each(loopbackForms)('opens no connection to loopback written as %s', async (host) => {
  const canary = await receiver();
  const names: Record<string, string[]> = {
    'mapped.example': ['::ffff:127.0.0.1'],
    'half.example': ['93.184.215.14', '127.0.0.1'],
  };
  const guard = webhookGuard({
    lookup: async (name) =>
      (names[name] ?? ['127.0.0.1']).map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
  });
  for (const protocol of ['http', 'https']) {
    const result = await post(`${protocol}://${host}:${canary.port}/`, { guard });
    expect(result).toMatchObject({ statusCode: null, cause: expect.any(ForbiddenAddressError) });
  }
  expect(canary.connections()).toBe(0);
});

test('opens no connection once a name that was public has moved to loopback', async () => {
  const canary = await receiver();
  let addresses = [{ address: '93.184.215.14', family: 4 }];
  const guard = webhookGuard({ lookup: async () => addresses });
  const url = `https://moving.example:${canary.port}/`;
  expect(await guard.mistakeIn(url)).toBeUndefined();
  addresses = loopback;
  expect(await post(url, { guard })).toMatchObject({ error: expect.stringContaining('not public') });
  expect(canary.connections()).toBe(0);
});

test('connects to the address that was checked, without a second look-up', async () => {
  const { port, received } = await receiver();
  let lookups = 0;
  const guard = openGuard(async () => {
    lookups += 1;
    return lookups === 1 ? loopback : [{ address: '127.0.0.2', family: 4 }];
  });
  expect(await post(`http://hooks.example:${port}/`, { guard })).toMatchObject({ statusCode: 204 });
  expect(lookups).toBe(1);
  expect(received[0]!.headers.host).toBe(`hooks.example:${port}`);
});

test('tries the next of several checked addresses when one is not reached', async () => {
  const { port } = await receiver();
  const guard = openGuard(async () => [{ address: '127.0.0.9', family: 4 }, ...loopback]);
  expect(await post(`http://hooks.example:${port}/`, { guard })).toMatchObject({ statusCode: 204 });
});

test('tells the TLS server the name, and takes the certificate for that name alone', async () => {
  const tls = selfSignedCertificate('hooks.example');
  const { port, received } = await receiver(undefined, tls);
  const options = { guard: openGuard(async () => loopback), certificateAuthorities: tls.cert };
  expect(await post(`https://hooks.example:${port}/`, options)).toMatchObject({ statusCode: 204 });
  expect((received[0]!.request.socket as TLSSocket & { servername: string }).servername).toBe('hooks.example');

  const other = await post(`https://other.example:${port}/`, options);
  expect(other).toMatchObject({ statusCode: null, cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
  expect(received).toHaveLength(1);
});

test('takes no certificate that it does not know', async () => {
  const { port, received } = await receiver(undefined, selfSignedCertificate('hooks.example'));
  const result = await post(`https://hooks.example:${port}/`, { guard: openGuard(async () => loopback) });
  expect(result.statusCode).toBeNull();
  expect(received).toHaveLength(0);
});

test('says the same of a closed port, a silent one, one that hangs up, and a name without address', async () => {
  const silent = await rawServer(() => {});
  const hangingUp = await rawServer((socket) => socket.destroy());
  const babbling = await rawServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
  const closed = await rawServer(() => {});
  await closed.close();
  const errors = new Set<string | null>();
  for (const { port } of [silent, hangingUp, babbling, closed]) {
    for (const protocol of ['http', 'https']) {
      errors.add((await post(`${protocol}://127.0.0.1:${port}/`, { deadlineMs: 200 })).error);
    }
  }
  const nowhere = openGuard(async () => Promise.reject(new Error('ENOTFOUND')));
  errors.add((await post('https://nowhere.example/', { guard: nowhere, deadlineMs: 200 })).error);
  expect([...errors]).toEqual([expect.stringMatching(/^No HTTP response within 0\.2 s/)]);
});

test('ends at the deadline when the answer does not come', async () => {
  const { url } = await receiver(() => {});
  const result = await post(url, { deadlineMs: 150 });
  expect(result.statusCode).toBeNull();
  expect(result.durationMs).toBeGreaterThanOrEqual(140);
  expect(result.durationMs).toBeLessThan(3_000);
});

test('ends at the deadline when the look-up does not come back', async () => {
  const guard = openGuard(() => new Promise(() => {}));
  const result = await post('https://slow-dns.example/', { guard, deadlineMs: 150 });
  expect(result.statusCode).toBeNull();
  expect(result.durationMs).toBeLessThan(3_000);
});

test('goes by the status when the rest of the answer does not come', async () => {
  const { url } = await receiver((response) => response.writeHead(200).write('so far'));
  const result = await post(url, { deadlineMs: 150 });
  expect(result).toMatchObject({ statusCode: 200, error: null, excerpt: 'so far' });
  expect(result.durationMs).toBeLessThan(3_000);
});

test('reads 64 kB of an endless answer and keeps 500 characters', async () => {
  let sent = 0;
  const { url } = await receiver((response) => {
    response.writeHead(200);
    const chunk = Buffer.alloc(16_384, 'é');
    const more = () => {
      while (!response.destroyed && response.write(chunk)) sent += chunk.length;
    };
    response.on('drain', more).on('error', () => {});
    more();
  });
  const result = await post(url, { deadlineMs: 20_000 });
  expect(result.excerpt).toBe('é'.repeat(500));
  expect(result.durationMs).toBeLessThan(10_000);
  expect(sent).toBeLessThan(50_000_000);
});

test('keeps no NUL and no half character of an answer', async () => {
  const { url } = await receiver((response) => response.end(Buffer.from([0x61, 0x00, 0xf0, 0x9f])));
  expect((await post(url)).excerpt).toBe('a\ufffd\ufffd');
});

test('reads Retry-After as seconds and as a date', async () => {
  const now = Date.parse('2026-11-22T10:00:00Z');
  expect(readRetryAfter('120', now)).toBe(120_000);
  expect(readRetryAfter('Sun, 22 Nov 2026 10:01:30 GMT', now)).toBe(90_000);
  expect(readRetryAfter('Sun, 22 Nov 2026 09:00:00 GMT', now)).toBe(0);
  for (const text of [undefined, '', '-5', '1.5', 'soon', '99999999999999', '2026-11-22']) {
    expect(readRetryAfter(text, now)).toBe(0);
  }
  const { url } = await receiver((response) => response.writeHead(503, { 'retry-after': '7' }).end());
  expect(await post(url)).toMatchObject({ statusCode: 503, retryAfterMs: 7_000 });
});

async function rawServer(onSocket: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const close = async () => {
    if (!server.listening) return;
    server.close();
    for (const socket of sockets) socket.destroy();
    await once(server, 'close');
  };
  cleanups.push(close);
  return { port, close };
}
