import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildApp } from '../../api/app.ts';
import type { AppDeps } from '../../api/app-deps.ts';
import { scopes as allScopes, type Scope } from '../../core/access/api-keys.ts';
import { readConfig } from '../../core/config.ts';
import { headLimitBytes } from '../../core/limits/bodies.ts';
import { makeLog } from '../../core/log.ts';
import { makeMetrics } from '../../core/metrics.ts';
import type { Queue } from '../../core/queue/queue.ts';
import { secretKey } from '../../core/secret-key.ts';
import { openStore } from '../../core/storage/open-store.ts';
import type { Plan } from '../../core/tenants.ts';
import { createApiKey } from '../../prisma/api-keys.ts';
import { openDatabase } from '../../prisma/client.ts';
import { schemaCheck } from '../../prisma/schema-check.ts';
import { createTenant } from '../../prisma/tenants.ts';
import { createTestDatabase } from '../database.ts';
import { openTestStorage } from '../engines.ts';

/** `json` is sent as the body; the method is then POST, unless another is given. */
export type Init = RequestInit & { json?: unknown };
export type Call = (path: string, init?: Init) => Promise<Response>;

export type Tenant = {
  id: string;
  name: string;
  plan: Plan;
  region: string;
  external_id: string | null;
  status: 'active' | 'deleting';
  retention_days: number | null;
  legal_hold: boolean;
  created_at: string;
};

/**
 * The whole API on a free port (or PORT), with a database and a storage of its own, no worker and no rate limit.
 * @param environment variables of docs/configuration.md, over those defaults; with a DATABASE_URL no database is made
 * @param overrides parts of the app to be replaced; the queue writes down who was enqueued
 */
export async function startApp(environment: Record<string, string> = {}, overrides: Partial<AppDeps> = {}) {
  const [testDatabase, storage] = await Promise.all([
    environment.DATABASE_URL ? undefined : createTestDatabase(),
    openTestStorage(),
  ]);
  const server = createServer({ maxHeaderSize: headLimitBytes });
  server.listen(Number(environment.PORT ?? 0), '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const adminKey = `test-admin-${randomBytes(12).toString('hex')}`;
  const config = readConfig({
    LOGFERRY_ADMIN_KEY: adminKey,
    LOGFERRY_SECRET_KEY: randomBytes(32).toString('base64'),
    LOGFERRY_RATE_LIMIT: '0',
    LOGFERRY_LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
    DATABASE_URL: testDatabase?.url,
    ...storage.environment,
    PUBLIC_URL: url,
    ...environment,
  });
  const database = overrides.database ?? openDatabase(config.DATABASE_URL!);
  const key = secretKey(config.LOGFERRY_SECRET_KEY!, config.LOGFERRY_SECRET_KEY_PREVIOUS);
  const jobs = { exports: [] as string[], deliveries: [] as string[] };
  const deps: AppDeps = {
    config,
    database,
    log: makeLog(config.LOGFERRY_LOG_LEVEL),
    metrics: makeMetrics(),
    queue: writtenDown(jobs),
    store: openStore(config, key.linkKeys),
    secretKey: key,
    schema: schemaCheck(database.pool, makeLog('silent')),
    checks: [{ name: 'database', check: () => database.pool.query('select 1') }],
    ...overrides,
  };
  server.on('request', buildApp(deps));

  const caller =
    (key: string): Call =>
    (path, { json, headers, ...init } = {}) => {
      const all = new Headers(headers);
      if (!all.has('authorization')) all.set('authorization', `Bearer ${key}`);
      if (json === undefined) return fetch(url + path, { ...init, headers: all });
      if (!all.has('content-type')) all.set('content-type', 'application/json');
      return fetch(url + path, { method: 'POST', body: JSON.stringify(json), ...init, headers: all });
    };
  const admin = caller(adminKey);
  let tenants = 0;
  return {
    url,
    deps,
    database,
    jobs,
    adminKey,
    /** A call with the management key. */
    admin,
    /** A call with any key. */
    caller,
    /** A tenant with a key of its own (all scopes unless told otherwise), and a call with that key. */
    async newTenant({ plan = 'pro', scopes, ...more }: { plan?: Plan; scopes?: Scope[]; external_id?: string } = {}) {
      // Past the API, which would write both into the tenant's log.
      const { id } = await createTenant(database.prisma, {
        name: `Tenant ${++tenants}`,
        plan,
        region: config.LOGFERRY_REGION,
        externalId: more.external_id ?? null,
      });
      const wanted = { name: 'test', scopes: scopes ?? allScopes, expiresAt: null };
      const { key } = await createApiKey(database.prisma, id, wanted);
      const tenant = (await bodyOf(admin(`/v1/tenants/${id}`))) as Tenant;
      return { tenant, key, call: caller(key) };
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await deps.store.close();
      if (!overrides.database) await database.close();
      await Promise.all([testDatabase?.drop(), storage.close()]);
    },
  };
}

export type App = Awaited<ReturnType<typeof startApp>>;

/** A queue that only writes down who was enqueued: nothing answers in these tests, and rows say what is to be done. */
const writtenDown = (jobs: { exports: string[]; deliveries: string[] }): Queue => ({
  async enqueueExport(id) {
    jobs.exports.push(id);
  },
  async enqueueDelivery(id) {
    jobs.deliveries.push(id);
  },
  async consume() {
    throw new Error('Nothing answers here: start a worker with a queue of its own');
  },
  async check() {},
  async inspect() {
    return [];
  },
  bullQueues: [],
  async close() {},
});

/** The body of a reply, to be read as it comes. */
// biome-ignore lint/suspicious/noExplicitAny: tests compare it with what they expect
export const bodyOf = async (reply: Promise<Response> | Response): Promise<any> => (await reply).json();
