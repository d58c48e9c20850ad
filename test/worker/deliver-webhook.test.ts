import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { Webhook as Verifier } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { newId } from '../../core/ids.ts';
import { openByteBudget } from '../../core/limits/byte-budget.ts';
import { memoryLimitBytes } from '../../core/limits/memory.ts';
import { makeLog } from '../../core/log.ts';
import { makeMetrics } from '../../core/metrics.ts';
import { secretKey } from '../../core/secret-key.ts';
import { webhookGuard } from '../../core/webhooks/webhook-address.ts';
import { newWebhookSecret } from '../../core/webhooks/webhooks.ts';
import { type Database, openDatabase } from '../../prisma/client.ts';
import { dueDeliveries, recordPing, redeliver } from '../../prisma/deliveries.ts';
import { type Attempt, claimDelivery } from '../../prisma/delivery-attempts.ts';
import {
  createWebhook,
  deleteWebhook,
  recordDeliveries,
  rotateWebhookSecret,
  updateWebhook,
} from '../../prisma/webhooks.ts';
import { type DeliveryDependencies, deliverWebhook, handleDelivery } from '../../worker/deliver-webhook.ts';
import { readMetrics, valueIn } from '../core/read-metrics.ts';
import { createTestDatabase, type TestDatabase } from '../database.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../webhook-receiver.ts';

const key = secretKey(randomBytes(32).toString('base64'));
const exportId = newId();
const link = { download_url: 'https://files.example/january.csv?sig=1', download_url_expires_at: 'soon' };
const receiptUrl = `https://logs.example.com/v1/exports/${exportId}/receipt`;

let testDatabase: TestDatabase;
let database: Database;
let tenantId: string;
let jobs: { id: string; delayMs: number }[];
const receivers: WebhookReceiver[] = [];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = openDatabase(testDatabase.url);
});

afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

beforeEach(async () => {
  jobs = [];
  tenantId = newId();
  await database.prisma.tenant.create({
    data: {
      id: tenantId,
      name: 'Test',
      plan: 'pro',
      region: 'eu',
      createdAt: new Date(),
      chainHead: { create: { sequenceNumber: 0, hash: new Uint8Array(32) } },
    },
  });
});

afterEach(async () => {
  for (const receiver of receivers.splice(0)) await receiver.close();
});

async function receiver(...args: Parameters<typeof startWebhookReceiver>) {
  const started = await startWebhookReceiver(...args);
  receivers.push(started);
  return started;
}

const status = (code: number, headers: Record<string, string> = {}) =>
  receiver((response) => response.writeHead(code, headers).end(`said ${code}`));

async function register(url: string, more: { include_download_url?: boolean } = {}) {
  const secret = newWebhookSecret();
  const request = { url, events: ['*'], description: null, include_download_url: true, ...more };
  return { ...(await createWebhook(database.prisma, tenantId, request, key.seal(secret))), plainSecret: secret };
}

/** One delivery of a completed export. */
async function record(): Promise<string> {
  const news = { tenantId, exportId, type: 'export.completed', data: { id: exportId, download_url: null } } as const;
  const [id] = await database.prisma.$transaction((transaction) => recordDeliveries(transaction, news));
  return id!;
}

const deliver = (
  id: string,
  overrides: Partial<DeliveryDependencies> = {},
  make: typeof handleDelivery | typeof deliverWebhook = deliverWebhook,
) =>
  make(
    {
      prisma: database.prisma,
      queue: {
        async enqueueDelivery(id, { delayMs = 0 } = {}) {
          jobs.push({ id, delayMs });
        },
      },
      secretKey: key,
      guard: webhookGuard({ allow: ['127.0.0.0/8'] }),
      linkFor: async () => link,
      publicUrl: 'https://logs.example.com',
      log: makeLog('silent'),
      metrics: makeMetrics(),
      memory: openByteBudget(memoryLimitBytes('deliveries'), makeMetrics()),
      ...overrides,
    },
    id,
  );

async function rowOf(id: string) {
  const row = await database.prisma.delivery.findUniqueOrThrow({ where: { id } });
  return { ...row, attempts: row.attempts as Attempt[] };
}

/** Lets the time of the next attempt come. */
const makeDue = (id: string) =>
  database.prisma.delivery.update({ where: { id }, data: { nextAttemptAt: new Date(0) } });

test('makes the first attempt at once, whatever the clock of the process says that made it', async () => {
  const { url } = await receiver();
  await register(url);
  const id = await record();
  // As a worker writes it whose clock is a minute ahead.
  await database.prisma.delivery.update({ where: { id }, data: { nextAttemptAt: new Date(Date.now() + 60_000) } });
  expect(await claimDelivery(database.prisma, id, 30_000)).toMatchObject({ id });
  expect(await claimDelivery(database.prisma, id, 30_000)).toBeUndefined();
});

test('names the export where its filter was too long to travel', async () => {
  const { url, received } = await receiver();
  await register(url);
  const news = { tenantId, exportId, type: 'export.failed', data: { id: exportId, filter: null } } as const;
  const [id] = await database.prisma.$transaction((transaction) => recordDeliveries(transaction, news));
  await deliver(id!);
  expect(JSON.parse(received[0]!.body).data).toEqual({
    id: exportId,
    filter: null,
    url: `https://logs.example.com/v1/exports/${exportId}`,
  });
});

test('sends a message that the official library verifies, with a fresh link', async () => {
  const { url, received } = await receiver();
  const { plainSecret } = await register(url);
  const id = await record();
  await deliver(id);
  const { headers, body } = received[0]!;
  expect(new Verifier(plainSecret).verify(body, headers)).toEqual({
    id,
    type: 'export.completed',
    timestamp: expect.stringMatching(/^\d{4}-.*\.\d{6}Z$/),
    data: { id: exportId, ...link, receipt_url: receiptUrl },
  });
  expect(headers).toMatchObject({
    'webhook-id': id,
    'content-type': 'application/json',
    'user-agent': expect.stringMatching(/^Logferry\/\d/),
  });
  expect(await rowOf(id)).toMatchObject({
    status: 'delivered',
    nextAttemptAt: null,
    attempts: [{ status_code: 204, error: null, response_excerpt: '', at: expect.any(String) }],
  });
  expect(jobs).toEqual([]);
});

test('sends no link when the webhook wants none', async () => {
  const { url, received } = await receiver();
  await register(url, { include_download_url: false });
  await deliver(await record());
  expect(JSON.parse(received[0]!.body).data).toEqual({ id: exportId, download_url: null, receipt_url: receiptUrl });
});

test('sends the message without link when the file is gone by then', async () => {
  const { url, received } = await receiver();
  await register(url);
  await deliver(await record(), { linkFor: async () => undefined });
  expect(JSON.parse(received[0]!.body).data).toEqual({ id: exportId, download_url: null, receipt_url: receiptUrl });
});

test('retries a failing receiver with the same id and body, a new time and signature', async () => {
  const { url, received } = await receiver((response, nth) => response.writeHead(nth === 1 ? 500 : 200).end('oh'));
  const { plainSecret } = await register(url);
  const id = await record();
  const start = Date.now();
  await deliver(id, { now: () => new Date(start - 60_000) });
  expect(await rowOf(id)).toMatchObject({
    status: 'pending',
    attempts: [{ status_code: 500, response_excerpt: 'oh' }],
  });
  await makeDue(id);
  await deliver(id, { now: () => new Date(start) });
  const [first, second] = received;
  expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id']);
  expect(second!.body).toBe(first!.body);
  const times = received.map(({ headers }) => Number(headers['webhook-timestamp']));
  expect(times[1]! - times[0]!).toBe(60);
  for (const { headers, body } of received) new Verifier(plainSecret).verify(body, headers);
  expect(await rowOf(id)).toMatchObject({
    status: 'delivered',
    attempts: [{ status_code: 500 }, { status_code: 200 }],
  });
});

test('walks the schedule to its end and then gives up', async () => {
  const { url, received } = await status(500);
  await register(url);
  const id = await record();
  for (let attempt = 1; attempt <= 10; attempt++) {
    await deliver(id);
    await makeDue(id);
  }
  await deliver(id);
  expect(received).toHaveLength(10);
  expect(await rowOf(id)).toMatchObject({ status: 'failed', tries: 10 });
  const seconds = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
  expect(jobs).toHaveLength(seconds.length);
  for (const [index, { delayMs }] of jobs.entries()) {
    expect(delayMs / 1000).toBeGreaterThanOrEqual(seconds[index]!);
    expect(delayMs / 1000).toBeLessThanOrEqual(seconds[index]! * 1.1);
  }
});

test('enters each attempt and each end into the metrics', async () => {
  const metrics = makeMetrics();
  const { url } = await receiver((response, nth) => {
    if (nth === 3) response.destroy();
    else response.writeHead(nth === 1 ? 200 : 500).end();
  });
  await register(url);
  for (let nth = 1; nth <= 3; nth++) await deliver(await record(), { metrics });
  const families = readMetrics((await metrics.scrape()).text);
  const attempts = (result: string) => valueIn(families, 'logferry_delivery_attempts_total', { result });
  expect(['delivered', 'refused', 'unreachable'].map(attempts)).toEqual([1, 1, 1]);
  expect(valueIn(families, 'logferry_delivery_attempt_seconds_count')).toBe(3);
  expect(valueIn(families, 'logferry_deliveries_ended_total', { outcome: 'delivered' })).toBe(1);
  expect(valueIn(families, 'logferry_deliveries_ended_total', { outcome: 'failed' })).toBe(0);
});

test('says in the row when the next attempt is, and makes it no earlier', async () => {
  const { url, received } = await status(503, { 'retry-after': '120' });
  await register(url);
  const id = await record();
  const before = Date.now();
  await deliver(id);
  const { nextAttemptAt } = await rowOf(id);
  expect(nextAttemptAt!.getTime() - before).toBeGreaterThanOrEqual(120_000);
  expect(nextAttemptAt!.getTime() - before).toBeLessThan(140_000);
  expect(jobs[0]!.delayMs).toBeGreaterThanOrEqual(120_000);
  await deliver(id);
  expect(received).toHaveLength(1);
});

test('disables the endpoint that answers 410, and ends all that waits for it', async () => {
  const { url, received } = await status(410);
  const { id: webhookId } = await register(url);
  const [gone, waiting] = [await record(), await record()];
  await deliver(gone);
  expect(await database.prisma.webhook.findUniqueOrThrow({ where: { id: webhookId } })).toMatchObject({
    status: 'disabled',
    disabledReason: expect.stringContaining('410'),
  });
  expect(await rowOf(gone)).toMatchObject({ status: 'failed', attempts: [{ status_code: 410 }] });
  expect(await rowOf(waiting)).toMatchObject({ status: 'failed', attempts: [], nextAttemptAt: null });
  expect(await record()).toBeUndefined();
  expect(received).toHaveLength(1);
  expect(jobs).toEqual([]);
});

test('counts a redirect as a failure', async () => {
  const target = await receiver();
  const { url } = await status(302, { location: target.url });
  await register(url);
  const id = await record();
  await deliver(id);
  expect(await rowOf(id)).toMatchObject({ status: 'pending', attempts: [{ status_code: 302 }] });
  expect(target.connections()).toBe(0);
});

test('counts no answer within the deadline as a failure', async () => {
  const { url } = await receiver(() => {});
  await register(url);
  const id = await record();
  await deliver(id, { deadlineMs: 100 });
  expect(await rowOf(id)).toMatchObject({
    status: 'pending',
    attempts: [{ status_code: null, error: expect.stringContaining('No HTTP response') }],
  });
});

test('signs with both secrets for 24 hours after a rotation, then with the new one alone', async () => {
  const { url, received } = await receiver((response) => response.writeHead(500).end());
  const { id: webhookId, plainSecret: old } = await register(url);
  const fresh = newWebhookSecret();
  await rotateWebhookSecret(database.prisma, tenantId, { id: webhookId }, key.seal(fresh));
  const id = await record();
  await deliver(id);
  for (const secret of [fresh, old]) new Verifier(secret).verify(received[0]!.body, received[0]!.headers);

  await makeDue(id);
  await deliver(id, { now: () => new Date(Date.now() + 25 * 3_600_000) });
  expect(received[0]!.headers['webhook-signature']!.split(' ')).toHaveLength(2);
  expect(received[1]!.headers['webhook-signature']!.split(' ')).toHaveLength(1);
});

test('redelivers under the same id, with a schedule of its own', async () => {
  const { url, received } = await receiver((response, nth) => response.writeHead(nth === 2 ? 500 : 200).end());
  await register(url);
  const id = await record();
  await deliver(id);
  await redeliver(database.prisma, tenantId, id);
  await deliver(id);
  expect(received.map(({ headers }) => headers['webhook-id'])).toEqual([id, id]);
  expect(await rowOf(id)).toMatchObject({ status: 'pending', tries: 1, attempts: [{}, {}] });
  expect(jobs[0]!.delayMs).toBeLessThanOrEqual(5_500);
});

test('remembers the last 50 attempts', async () => {
  const { url } = await receiver((response, nth) => response.writeHead(200).end(String(nth)));
  await register(url);
  const id = await record();
  for (let round = 1; round <= 52; round++) {
    await deliver(id);
    await redeliver(database.prisma, tenantId, id);
  }
  const { attempts } = await rowOf(id);
  expect(attempts).toHaveLength(50);
  expect([attempts[0], attempts.at(-1)].map((attempt) => attempt!.response_excerpt)).toEqual(['3', '52']);
});

test('tries a ping once', async () => {
  const { url, received } = await status(500);
  const webhook = await register(url);
  const { id } = await recordPing(database.prisma, webhook);
  await deliver(id);
  expect(JSON.parse(received[0]!.body)).toMatchObject({ id, type: 'ping', data: { webhook_id: webhook.id } });
  expect(await rowOf(id)).toMatchObject({ status: 'failed' });
  expect(jobs).toEqual([]);
});

test('gives a delivery to one of many workers that ask at once', async () => {
  const { url } = await receiver();
  await register(url);
  const id = await record();
  // A connection for each, so that they really meet.
  await Promise.all(Array.from({ length: 8 }, () => database.prisma.$queryRaw`select pg_sleep(0.1)::text`));
  const claims = await Promise.all(Array.from({ length: 8 }, () => claimDelivery(database.prisma, id, 45_000)));
  expect(claims.filter(Boolean)).toHaveLength(1);
});

test('sends nothing while another worker is sending', async () => {
  const sending = Promise.withResolvers<ServerResponse>();
  const { url, received } = await receiver((response, nth) => {
    if (nth === 1) sending.resolve(response);
    else response.writeHead(204).end();
  });
  await register(url);
  const id = await record();
  const first = deliver(id);
  const response = await sending.promise;
  await deliver(id);
  response.writeHead(204).end();
  await first;
  expect(received).toHaveLength(1);
  expect(await rowOf(id)).toMatchObject({ status: 'delivered', attempts: [{ status_code: 204 }] });
});

test('makes ten deliveries of a tenant at a time, and the others when one of those has ended', async () => {
  const waiting: ServerResponse[] = [];
  const { url, received } = await receiver((response) => void waiting.push(response));
  await register(url);
  const ids = await Promise.all(Array.from({ length: 14 }, record));
  const answer = (id: string) => deliver(id, {}, handleDelivery);
  const answering = ids.slice(0, 10).map(answer);
  await expect.poll(() => waiting).toHaveLength(10);
  await Promise.all(ids.slice(10).map(answer));
  expect(received).toHaveLength(10);
  const drained = Promise.all(answering);
  const answerAll = () => waiting.splice(0).forEach((response) => void response.writeHead(204).end());
  const timer = setInterval(answerAll, 10);
  await drained;
  clearInterval(timer);
  expect(received.map(({ headers }) => headers['webhook-id']).sort()).toEqual(ids.sort());
  for (const id of ids) expect(await rowOf(id)).toMatchObject({ status: 'delivered', tries: 1, claimed: false });
});

test('makes the attempt of a worker that died, once its claim has lapsed', async () => {
  const { url, received } = await receiver();
  await register(url);
  const id = await record();
  expect(await claimDelivery(database.prisma, id, 45_000)).toBeDefined();
  await deliver(id);
  expect(received).toHaveLength(0);
  const lapsed = new Date(Date.now() + 46_000);
  expect(await dueDeliveries(database.prisma, new Date(), 1000)).not.toContain(id);
  expect(await dueDeliveries(database.prisma, lapsed, 1000)).toContain(id);
  await makeDue(id);
  await deliver(id);
  expect(received).toHaveLength(1);
  expect(await rowOf(id)).toMatchObject({ status: 'delivered', tries: 1 });
});

test('leaves alone the round that a redelivery began while it was sending', async () => {
  const { url } = await receiver(async (response) => {
    await redeliver(database.prisma, tenantId, id);
    response.writeHead(200).end();
  });
  await register(url);
  const id = await record();
  await deliver(id);
  expect(await rowOf(id)).toMatchObject({ status: 'pending', tries: 0, attempts: [{ status_code: 200 }] });
});

test('sends nothing for a webhook that was disabled or deleted in the meantime', async () => {
  const { url, received } = await receiver();
  const { id: webhookId } = await register(url);
  const first = await record();
  await updateWebhook(database.prisma, tenantId, { id: webhookId }, { status: 'disabled' });
  await deliver(first);
  await updateWebhook(database.prisma, tenantId, { id: webhookId }, { status: 'enabled' });
  const second = await record();
  await deleteWebhook(database.prisma, tenantId, webhookId);
  await makeDue(second);
  await database.prisma.delivery.update({ where: { id: second }, data: { status: 'pending' } });
  await deliver(second);
  for (const id of [first, second]) expect(await rowOf(id)).toMatchObject({ status: 'failed', attempts: [] });
  expect(received).toHaveLength(0);
});

test('sends to the new URL once the webhook has one', async () => {
  const broken = await status(500);
  const { id: webhookId } = await register(broken.url);
  const id = await record();
  await deliver(id);
  const repaired = await receiver();
  await updateWebhook(database.prisma, tenantId, { id: webhookId }, { url: repaired.url });
  await makeDue(id);
  await deliver(id);
  expect(await rowOf(id)).toMatchObject({ status: 'delivered', url: repaired.url });
});

test('connects to nothing when the name has moved to loopback since it was registered', async () => {
  const canary = await receiver();
  let address = '93.184.215.14';
  const guard = webhookGuard({ lookup: async () => [{ address, family: 4 }] });
  const url = `https://hooks.example:${canary.port}/`;
  expect(await guard.mistakeIn(url)).toBeUndefined();
  await register(url);
  address = '127.0.0.1';
  const id = await record();
  await deliver(id, { guard });
  expect(canary.connections()).toBe(0);
  expect(await rowOf(id)).toMatchObject({
    status: 'pending',
    attempts: [{ status_code: null, error: expect.stringContaining('not public') }],
  });
});

test('throws nothing when the queue did not take a job', async () => {
  const { url } = await status(500);
  await register(url);
  const id = await record();
  const queue = { enqueueDelivery: () => Promise.reject(new Error('connection refused')) };
  await deliver(id, { queue });
  expect(await rowOf(id)).toMatchObject({ status: 'pending', tries: 1 });
});

test('throws when the link cannot be made, and spends no attempt', async () => {
  const { url, received } = await receiver();
  await register(url);
  const id = await record();
  await expect(deliver(id, { linkFor: () => Promise.reject(new Error('storage')) })).rejects.toThrow('storage');
  expect(received).toHaveLength(0);
  expect(await rowOf(id)).toMatchObject({ status: 'pending', tries: 0, attempts: [] });
});

test('cuts an attempt short when the process stops, and spends none', async () => {
  const stop = new AbortController();
  // The receiver never answers; that it was asked is the sign to stop.
  const slow = await receiver(() => stop.abort());
  await register(slow.url);
  const id = await record();
  await deliver(id, { signal: stop.signal });
  expect(await rowOf(id)).toMatchObject({ status: 'pending', attempts: [], tries: 0 });
  expect(jobs).toEqual([]);
});
