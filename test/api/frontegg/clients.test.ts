import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addManyEvents } from '../../add-events.ts';
import { type FronteggApp, startFronteggApp } from './frontegg-app.ts';

const hasPython = spawnSync('python3', ['--version']).status === 0;
const python = hasPython ? 'a poller in Python' : 'a poller in Python (skipped: there is no python3)';

describe("Frontegg's clients, unchanged", () => {
  let app: FronteggApp;
  beforeAll(async () => {
    app = await startFronteggApp();
  });
  afterAll(() => app.close());

  /** Runs a client in a process of its own, and gives what it says at last. */
  async function run(command: string, script: string, environment: Record<string, string>) {
    const { clientId, secret } = app.credentials;
    const address = { BASE_URL: app.url, FRONTEGG_API_GATEWAY_URL: app.url, CLIENT_ID: clientId, API_KEY: secret };
    const env = { ...process.env, ...address, ...environment };
    const { stdout } = await promisify(execFile)(command, [`test/clients/frontegg/${script}`], { env });
    return JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
  }

  it('@frontegg/client writes, lists, counts, and sets the columns', async () => {
    const told = await run(process.execPath, 'node-sdk.cjs', { TENANT_ID: 'of-the-sdk' });
    expect(told.all.total).toBe(3);
    expect(told.all.data.map(({ severity }: { severity: string }) => severity)).toEqual(['Info', 'High', 'Critical']);
    expect(told.all.data[0]).toMatchObject({
      tenantId: 'of-the-sdk',
      user: 'Ada',
      resource: 'Portal',
      action: 'Login',
      email: 'a@example.com',
      custom: { severity: 'Info' },
    });
    expect(told.filtered).toMatchObject({ total: 1, data: [{ severity: 'Critical' }] });
    expect(told.recent).toMatchObject({ total: 3, data: [{ severity: 'High' }] });
    expect(told.stats).toEqual({ totalToday: 3, severeThisWeek: 2 });
    expect(told.columns.slice(0, 3)).toEqual(['createdAt', 'email', 'action']);
    expect(told.changed).toEqual(['createdAt', 'email']);
    expect(told.wrong.status).toBe(400);
    expect(told.wrong.body.errors[0]).toContain('severity: unknown severity "Nothing"');
  });

  it('@frontegg/rest-api lists, counts, shows columns, and downloads what the table shows', async () => {
    const call = app.asEnvironment('of-the-portal');
    for (const audit of [{ severity: 'Info' }, { severity: 'High', user: 'Ada', email: 'a@example.com' }])
      await call('/audits', { json: { action: 'opened, "twice"', ...audit } });
    const told = await run(process.execPath, 'portal.cjs', { TOKEN: await app.userToken('of-the-portal') });
    expect(told.list.total).toBe(2);
    expect(told.filtered).toMatchObject({ total: 1, data: [{ email: 'a@example.com' }] });
    expect(told.stats).toEqual({ totalToday: 2, severeThisWeek: 1 });
    expect(told.downloaded.name).toBe('audits');
    const [header, ...rows] = told.downloaded.text.split('\r\n');
    expect(header).toMatch(/^Time,User,Action/);
    expect(rows).toContainEqual(expect.stringContaining('a@example.com,"opened, ""twice"""'));
    expect(told.refused).toEqual({
      message: 'offset: must be a whole number from 0 to 9007199254740991',
      status: 400,
      trace: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  it.skipIf(!hasPython)(`${python} reads every audit of every tenant once`, async () => {
    for (const [externalId, count] of [
      ['polled-1', 450],
      ['polled-2', 130],
    ] as const) {
      const { tenant } = await app.newTenant({ external_id: externalId });
      await addManyEvents(app.database, tenant.id, { count });
    }
    // The audits of the other tests are younger than these.
    const told = await run('python3', 'poller.py', { SINCE: '2020-01-01T00:00:00' });
    const polled = told.audits.filter(([, tenant]: [string, string]) => tenant.startsWith('polled-'));
    expect(new Set(polled.map(([id]: [string]) => id)).size).toBe(580);
    expect(told.audits.length).toBe(told.total);
    expect(told.pages.at(-1)).toBe(0);
  });
});
