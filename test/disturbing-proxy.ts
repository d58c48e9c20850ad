import { once } from 'node:events';
import { createServer, type IncomingMessage, request as open, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transform, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';

/** What a request asks S3 for. */
export type S3Call =
  | 'begin'
  | 'part'
  | 'complete'
  | 'abort'
  | 'list parts'
  | 'list uploads'
  | 'delete'
  | 'get'
  | 'head'
  | 'head bucket'
  | 'list versions'
  | 'other';

export type Disturbance =
  /** The request is carried out, and the connection closed instead of a reply. */
  | { what: 'lose reply' }
  /** The connection is closed once so many bytes of the body have come; the server sees nothing of it. */
  | { what: 'reset'; afterBytes: number }
  /** A reply of our own, with an error as S3 has them, or whatever `body` is. `early` does not wait for the body. */
  | { what: 'answer'; status: number; code?: string; body?: string; headers?: Record<string, string>; early?: boolean }
  /** A bit of this byte of the body is another one. */
  | { what: 'flip'; byte: number }
  /** Both directions go at this speed. */
  | { what: 'throttle'; bytesPerSecond: number }
  /** The reply ends, with its connection, after so many bytes of its body. */
  | { what: 'cut reply'; afterBytes: number }
  /** Nothing ever comes back. */
  | { what: 'black hole' };

export type DisturbingProxy = {
  url: string;
  /** All that was asked for, in order. */
  seen: { call: S3Call; headers: IncomingMessage['headers'] }[];
  count(call: S3Call): number;
  /** Does this to the next so many requests of this kind. */
  disturb(call: S3Call, disturbance: Disturbance, times?: number): void;
  /** Waits until a request of this kind has come since now. */
  next(call: S3Call): Promise<void>;
  calm(): void;
  /** Connections that were ever made. */
  connections(): number;
  /** Requests whose connection is open and whose reply has not ended. */
  openExchanges(): number;
  close(): Promise<void>;
};

/**
 * Stands in front of an S3 server and does to requests what networks do. The Host header goes on as it came, as
 * signatures are over it.
 */
export async function startDisturbingProxy(target: string): Promise<DisturbingProxy> {
  const { hostname, port } = new URL(target);
  const plans: { call: S3Call; disturbance: Disturbance; times: number }[] = [];
  const seen: DisturbingProxy['seen'] = [];
  let underWay = 0;
  let connections = 0;
  const waiting: { call: S3Call; heard: () => void }[] = [];

  const takePlan = (call: S3Call): Disturbance | undefined => {
    const plan = plans.find((each) => each.call === call && each.times > 0);
    if (plan) plan.times--;
    return plan?.disturbance;
  };
  const server = createServer((incoming, outgoing) => {
    const call = callOf(incoming);
    seen.push({ call, headers: incoming.headers });
    underWay++;
    outgoing.once('close', () => underWay--);
    for (const each of waiting) if (each.call === call) each.heard();
    incoming.on('error', () => {});
    serve({ incoming, outgoing, hostname, port }, takePlan(call)).catch(() => outgoing.destroy());
  });
  server.on('connection', () => connections++);
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    count: (call) => seen.filter((each) => each.call === call).length,
    disturb: (call, disturbance, times = 1) => void plans.push({ call, disturbance, times }),
    next: (call) => new Promise((heard) => waiting.push({ call, heard })),
    openExchanges: () => underWay,
    connections: () => connections,
    calm: () => void plans.splice(0),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function callOf({ method, url }: IncomingMessage): S3Call {
  const { searchParams: query, pathname } = new URL(url!, 'http://localhost');
  const isBucket = pathname.replace(/\/$/, '').lastIndexOf('/') === 0;
  if (method === 'POST' && query.has('uploads')) return 'begin';
  if (method === 'POST' && query.has('uploadId')) return 'complete';
  if (method === 'PUT' && query.has('partNumber')) return 'part';
  if (method === 'DELETE') return query.has('uploadId') ? 'abort' : 'delete';
  if (method === 'GET' && query.has('uploadId')) return 'list parts';
  if (method === 'GET' && query.has('uploads')) return 'list uploads';
  if (method === 'GET' && !isBucket) return 'get';
  if (method === 'GET' && query.has('versions')) return 'list versions';
  if (method === 'HEAD') return isBucket ? 'head bucket' : 'head';
  return 'other';
}

type Exchange = { incoming: IncomingMessage; outgoing: ServerResponse; hostname: string; port: string };

async function serve(exchange: Exchange, disturbance: Disturbance | undefined): Promise<void> {
  const { incoming, outgoing } = exchange;
  switch (disturbance?.what) {
    case 'black hole':
      return;
    case 'reset':
      return resetAfter(incoming, disturbance.afterBytes);
    case 'answer':
      return answer(exchange, disturbance);
    case 'lose reply': {
      const reply = await forward(exchange, []);
      reply.resume();
      await once(reply, 'end');
      incoming.socket.destroy();
      return;
    }
    case 'flip':
      return relay(await forward(exchange, [flipping(disturbance.byte)]), outgoing, []);
    case 'throttle': {
      const throttle = () => throttling(disturbance.bytesPerSecond);
      return relay(await forward(exchange, [throttle()]), outgoing, [throttle()]);
    }
    case 'cut reply':
      return relay(await forward(exchange, []), outgoing, [cutting(disturbance.afterBytes)]);
    default:
      return relay(await forward(exchange, []), outgoing, []);
  }
}

async function forward(
  { incoming, outgoing, hostname, port }: Exchange,
  through: Transform[],
): Promise<IncomingMessage> {
  const { method, url, rawHeaders } = incoming;
  const request = open({ hostname, port, method, path: url, headers: rawHeaders as never, setHost: false });
  // A client that goes away takes its request with it.
  outgoing.once('close', () => outgoing.writableFinished || request.destroy());
  const replied = once(request, 'response');
  pipeline([incoming, ...through, request]).catch(() => request.destroy());
  return (await replied)[0];
}

async function relay(reply: IncomingMessage, outgoing: ServerResponse, through: Transform[]): Promise<void> {
  outgoing.writeHead(reply.statusCode!, reply.rawHeaders as never);
  await pipeline([reply, ...through, outgoing]);
}

async function resetAfter(incoming: IncomingMessage, afterBytes: number): Promise<void> {
  let bytes = 0;
  for await (const chunk of incoming) {
    bytes += chunk.length;
    if (bytes >= afterBytes) break;
  }
  incoming.socket.resetAndDestroy();
}

async function answer(
  { incoming, outgoing }: Exchange,
  { status, code, body, headers, early }: Extract<Disturbance, { what: 'answer' }>,
): Promise<void> {
  const xml = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code} by the proxy</Message></Error>`;
  if (!early) for await (const _chunk of incoming);
  const text = body ?? (code ? xml : '');
  const length = { 'Content-Length': String(Buffer.byteLength(text)) };
  outgoing.writeHead(status, { 'Content-Type': 'application/xml', ...length, ...headers });
  outgoing.end(text);
  if (early) outgoing.once('finish', () => incoming.socket.resetAndDestroy());
}

function flipping(byte: number): Transform {
  let offset = 0;
  return transform(async (chunk) => {
    const at = byte - offset;
    offset += chunk.length;
    if (at < 0 || at >= chunk.length) return chunk;
    const changed = Buffer.from(chunk);
    changed[at] = changed[at]! ^ 1;
    return changed;
  });
}

const throttling = (bytesPerSecond: number): Transform =>
  transform(async (chunk) => {
    await wait((chunk.length / bytesPerSecond) * 1000);
    return chunk;
  });

function cutting(afterBytes: number): Transform {
  let left = afterBytes;
  return transform(async (chunk) => {
    if (left <= 0) throw new Error('cut');
    const kept = chunk.subarray(0, left);
    left -= kept.length;
    return kept;
  });
}

function transform(change: (chunk: Buffer) => Promise<Buffer>): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback) {
      change(chunk).then((changed) => done(null, changed), done);
    },
  });
}
