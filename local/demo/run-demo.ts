import { createWriteStream, mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { Webhook } from 'standardwebhooks';
import { callApi } from '../call-api.ts';
import { askDatabase, readDemoFile } from './check-demo-file.ts';
import { DemoError } from './demo-error.ts';
import type { DemoSource } from './demo-options.ts';
import type { Demo, Tenant } from './demo-steps.ts';
import { count, firstLines, indent, moreLine, seconds, size, stepLine } from './demo-text.ts';
import { loadEvents } from './load-demo-events.ts';
import { openWebhookInbox, type WebhookMessage } from './receive-webhook.ts';
import { type Export, type MadeExport, runExport } from './run-demo-export.ts';

const webhookTimeoutMs = 30_000;

/**
 * The whole job, step by step, each with a line on the screen: a tenant, its events, an export of them, the webhook, the
 * download, the check.
 * @throws DemoError when a step or a check fails; the reason of `signal`
 */
export async function runDemo(demo: Demo, source: DemoSource): Promise<void> {
  const { screen, local } = demo;
  screen.write(stepLine(1, 'Start', `Postgres, API and worker on this machine; the API is ${local.url}`));
  const tenant = await makeTenant(demo);
  await loadEvents(demo, tenant, source);
  const inbox = await openWebhookInbox();
  try {
    const made = await runExport(demo, tenant, inbox.url);
    const announced = await receive(demo, made, await firstMessage(demo, inbox));
    const file = await download(demo, announced);
    await check(demo, tenant.id, made, file);
  } finally {
    await inbox.close();
  }
}

async function makeTenant({ local, screen, signal }: Demo): Promise<Tenant> {
  const admin = { url: local.url, key: local.admin.key };
  const name = `Demo of ${new Date().toISOString().slice(0, 19)}Z`;
  const { id } = await callApi<{ id: string }>(admin, '/v1/tenants', { body: { name, plan: 'pro' }, signal });
  const body = { name: 'demo', tenant_id: id, scopes: ['events:write', 'events:read', 'export'] };
  const { key, prefix } = await callApi<{ key: string; prefix: string }>(admin, '/v1/api-keys', { body, signal });
  screen.write(stepLine(2, 'Tenant', `"${name}", and a key for it (${prefix}…)`));
  const caller = { url: local.url, key };
  type Page = { data: { sequence_number: number }[] };
  const newest = await callApi<Page>(caller, '/v1/events?limit=1&sort=-sequence_number', { signal });
  return { ...caller, id, begunWith: newest.data[0]?.sequence_number ?? 0 };
}

async function firstMessage(demo: Demo, inbox: { first(signal: AbortSignal): Promise<WebhookMessage> }) {
  const patience = AbortSignal.timeout(webhookTimeoutMs);
  return inbox.first(AbortSignal.any([demo.signal, patience])).catch((error) => {
    if (!patience.aborted) throw error;
    throw new DemoError(`No webhook came within ${seconds(webhookTimeoutMs)}.`);
  });
}

/** Believes the message only once the official library has found its signature good, and what it says is what was made. */
async function receive({ screen }: Demo, { done, secret }: MadeExport, message: WebhookMessage): Promise<Export> {
  let payload: { type: string; data: Export };
  try {
    payload = new Webhook(secret).verify(message.body, message.headers) as typeof payload;
  } catch (error) {
    throw new DemoError(`The signature of the webhook is not good: ${(error as Error).message}`);
  }
  expectSame('The type of the webhook', payload.type, 'export.completed');
  expectSame('The export that the webhook names', payload.data.id, done.id);
  expectSame('The SHA-256 that the webhook gives', payload.data.sha256, done.sha256);
  screen.write(stepLine(5, 'Webhook', `${payload.type} received; signature verified by the library standardwebhooks`));
  return payload.data;
}

/** Saves the file behind the signed link of the webhook: no key is needed for it. */
async function download({ local, screen, signal }: Demo, announced: Export): Promise<string> {
  const response = await fetch(announced.download_url, { signal });
  if (!response.ok) throw new DemoError(`The download link answered ${response.status}.`);
  const directory = join(local.config.LOGFERRY_DATA, 'downloads');
  mkdirSync(directory, { recursive: true });
  const path = join(directory, announced.file_name);
  await pipeline(Readable.fromWeb(response.body as ReadableStream), createWriteStream(path), { signal });
  screen.write(stepLine(6, 'Download', `by the signed link of the webhook: ${shortPath(path)}`));
  return path;
}

async function check({ local, screen, signal }: Demo, tenantId: string, made: MadeExport, path: string): Promise<void> {
  const { done, filter } = made;
  const file = await readDemoFile(path, signal);
  const database = await askDatabase(local.databaseUrl, {
    tenantId,
    exportId: done.id,
    asOfSequence: done.as_of_sequence,
    filter,
  });
  expectSame('The number of rows in the file', file.rows, database.rows);
  expectSame('The number of rows that the API gives', done.rows, database.rows);
  expectSame('The sum of the sequence numbers in the file', file.numberSum, database.numberSum);
  expectSame('The size of the file', file.bytes, database.recorded.bytes);
  expectSame('The size that the API gives', done.bytes, database.recorded.bytes);
  expectSame('The SHA-256 of the file', file.sha256, database.recorded.sha256);
  expectSame('The SHA-256 that the API gives', done.sha256, database.recorded.sha256);
  if (file.rows === 0) throw new DemoError('The export is empty, though the log is not.');
  screen.write(
    stepLine(7, 'Check', `${count(file.rows)} rows in the file, each once; ${count(database.rows)} by select count(*)`),
  );
  screen.write(moreLine(`${size(file.bytes)}; SHA-256 as recorded: ${file.sha256}`));
  screen.write('\n');
  for (const line of firstLines(file.beginning, 2, (screen.columns || 120) - indent - 1)) screen.write(moreLine(line));
}

function expectSame<Value>(what: string, found: Value, expected: Value): void {
  if (found !== expected) throw new DemoError(`${what} is ${found}; it should be ${expected}.`);
}

function shortPath(path: string): string {
  const short = relative('', path);
  return short.startsWith('..') ? path : short;
}
