import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, startApp } from '../start-app.ts';
import { arbitraryRequest, type FuzzedRequest } from './arbitrary-request.ts';
import type { Documented, DocumentedApi } from './documented-api.ts';
import { readDocument } from './read-document.ts';

/** TEST_FUZZ_SEED asks for the same requests again, TEST_FUZZ_SECONDS for more of them. */
const seed = Number(process.env.TEST_FUZZ_SEED ?? 20261122);
const budgetMs = Number(process.env.TEST_FUZZ_SECONDS ?? 30) * 1000;
/** Requests of an operation that are made up at a time, all of one seed. */
const roundLength = 20;

describe('Whatever is sent', () => {
  let app: App;
  let api: DocumentedApi;
  let key: string;
  let ids: Record<string, string[]>;

  beforeAll(async () => {
    app = await startApp({
      LOGFERRY_PLAN_LIMITS: '{"pro": {"webhooks": null, "api_keys": null}}',
      LOGFERRY_WEBHOOK_ALLOW: '127.0.0.0/8',
      LOGFERRY_REGIONS: '{"us": "https://us.example.com"}',
    });
    api = await readDocument(app.url);
    const { tenant } = await app.newTenant({ external_id: 'acme' });
    // Some requests change tenants: they find another one.
    const other = await app.newTenant();
    ({ key } = await app.newTenant());
    const idOf = async (path: string, json: object) =>
      ((await (await app.caller(key)(path, { json })).json()) as { id: string }).id;
    const event = (await (await app.caller(key)('/v1/events', { json: { action: 'a' } })).json()) as {
      data: { id: string };
    };
    const ended = await idOf('/v1/exports', { format: 'csv' });
    await app.caller(key)(`/v1/exports/${ended}/cancel`, { method: 'POST' });
    const webhooks: string[] = [];
    // Requests delete some on the way.
    for (let n = 0; n < 50; n++) webhooks.push(await idOf('/v1/webhooks', { url: 'http://127.0.0.1:9999/hook' }));
    ids = {
      events: [event.data.id],
      exports: [ended],
      webhooks,
      deliveries: [await idOf(`/v1/webhooks/${webhooks[0]}/ping`, {})],
      tenants: [tenant.id, other.tenant.id, 'acme'],
      'api-keys': [await idOf('/v1/api-keys', { name: 'spare' })],
      docs: ['swagger-ui.css', 'show-document.js'],
      files: ['exports'],
    };
  }, 60_000);
  afterAll(() => app.close());

  const requestsOf = (each: Documented, round: number): FuzzedRequest[] =>
    fc.sample(arbitraryRequest(api, each, idsFor(each)), { seed: seed + round, numRuns: roundLength });
  const idsFor = ({ path }: Documented): string[] =>
    ids[Object.keys(ids).find((name) => path.includes(`/${name}/{`)) ?? ''] ?? ['none'];

  async function send({ method, operation }: Documented, { path, headers, body }: FuzzedRequest): Promise<Response> {
    const isForManagement = operation.security[0]?.bearer.includes('management');
    const authorization = `Bearer ${isForManagement ? app.adminKey : key}`;
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    return fetch(app.url + path, {
      method: method.toUpperCase(),
      redirect: 'manual',
      headers: { ...type, ...headers, authorization },
      body,
      signal: AbortSignal.timeout(20_000),
    });
  }

  it(
    `the reply is documented, and no failure of ours (TEST_FUZZ_SEED=${seed})`,
    async () => {
      const deadline = performance.now() + budgetMs;
      const counts = new Map<string, number>();
      for (let round = 0; round < 1 || performance.now() < deadline; round++) {
        for (const each of api.operations) {
          for (const request of requestsOf(each, round)) {
            if (performance.now() > deadline && round > 0) break;
            const reply = await send(each, request);
            const what = `TEST_FUZZ_SEED=${seed}, round ${round}: ${each.method} ${JSON.stringify(request)}`;
            if (reply.status >= 500) expect.fail(`${what}: ${reply.status} ${await reply.text()}`);
            const kind = `${each.operation.operationId} ${Math.floor(reply.status / 100)}xx`;
            counts.set(kind, (counts.get(kind) ?? 0) + 1);
            await api.expectReply(each, reply).catch((error) => {
              throw new Error(what, { cause: error });
            });
          }
        }
      }
      if (process.env.TEST_FUZZ_SECONDS) console.log(Object.fromEntries([...counts].sort()));
      // It is of no use unless it gets both through and refused.
      const missing = api.operations
        .filter(({ operation }) => operation.requestBody && !neverRight.includes(operation.operationId))
        .flatMap(({ operation }) => [`${operation.operationId} 2xx`, `${operation.operationId} 4xx`])
        .filter((kind) => !counts.has(kind));
      expect(missing).toEqual([]);
    },
    budgetMs + 60_000,
  );

  /** No credentials can be guessed. */
  const neverRight = ['getToken'];
});
