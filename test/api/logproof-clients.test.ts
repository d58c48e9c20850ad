import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scopes } from '../../core/access/api-keys.ts';
import type { Event } from '../../core/events/events.ts';
import { findLocalStack } from '../../local/services/localstack.ts';
import { wholeEventJson } from '../../prisma/sql/event-json.ts';
import { type App, startApp } from './start-app.ts';

const rateLimit = 40;
const folder = join(import.meta.dirname, '../clients/logproof');
const has = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0;

/** A Python with requests: that of the system, or the one of LocalStack, which needs it itself. */
const localStack = findLocalStack();
const pythons = ['python3', ...('python' in localStack ? [localStack.python] : [])];
const python = pythons.find((program) => has(program, '-c', 'import requests'));

/** Each is a script that does the same and prints the same; what it needs besides Node may be missing. */
const clients = [
  { name: 'Node', program: process.execPath, script: 'client.mjs', missing: undefined },
  {
    name: 'Python',
    program: python ?? 'python3',
    script: 'client.py',
    missing: python ? undefined : 'there is no python3 with requests here; `npm run install:services` brings one',
  },
  {
    name: 'PHP',
    program: 'php',
    script: 'client.php',
    missing: has('php', '-r', 'exit(extension_loaded("curl") ? 0 : 1);') ? undefined : 'there is no php with curl here',
  },
];
const named = ({ name, missing }: (typeof clients)[number]) =>
  missing === undefined ? name : `${name} (skipped: ${missing})`;

type Refusal = { status: number; type: string; message: string; remaining: number; retry_after: number | null };
type Listed = { pages: number; numbers: number[] };
type Saved = { name: string; type: string };
type Told = {
  one: { status: number; event: Event };
  batch: { status: number; numbers: number[] };
  by_prefix: Listed;
  by_suffix: Listed;
  by_time: Listed;
  json: Saved;
  csv: Saved;
  verify: Record<string, unknown>;
  errors: Record<'unknown_key' | 'scope' | 'plan' | 'missing' | 'invalid' | 'too_many', Refusal>;
  requests: number;
  without_rate_limit: number;
};

let app: App;
beforeAll(async () => {
  app = await startApp({ LOGFERRY_RATE_LIMIT: String(rateLimit) });
});
afterAll(() => app.close());

describe.each(clients)('A client of LogProof in $name', (client) => {
  const directory = mkdtempSync(join(tmpdir(), 'logferry-logproof-'));
  let told: Told;
  let stored: Event[];
  beforeAll(async () => {
    if (client.missing !== undefined) return;
    const [own, reader, free, busy] = await Promise.all([
      app.newTenant(),
      app.newTenant({ scopes: scopes.filter((scope) => scope !== 'events:write') }),
      app.newTenant({ plan: 'free' }),
      app.newTenant(),
    ]);
    const { stdout } = await promisify(execFile)(client.program, [join(folder, client.script)], {
      timeout: 25_000,
      env: {
        ...process.env,
        NO_PROXY: '127.0.0.1',
        no_proxy: '127.0.0.1',
        LOGPROOF_URL: `${app.url}/v1`,
        LOGPROOF_KEY: own.key,
        LOGPROOF_READER: reader.key,
        LOGPROOF_FREE: free.key,
        LOGPROOF_BUSY: busy.key,
        LOGPROOF_DIR: directory,
      },
    });
    told = JSON.parse(stdout);
    const { rows } = await app.database.pool.query<{ json: string }>(
      `select ${wholeEventJson} as json from events where tenant_id = $1 order by occurred_at, sequence_number`,
      [own.tenant.id],
    );
    // What the exports themselves leave in the log came after they began.
    stored = rows
      .map(({ json }) => JSON.parse(json) as Event)
      .filter(({ action }) => action !== 'logferry.events.streamed');
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** The numbers of the events that match, newest first. */
  const newest = (matches: (event: Event) => boolean): number[] =>
    stored
      .filter(matches)
      .map((event) => event.sequence_number)
      .reverse();
  const secondsOf = ({ occurred_at }: Event): number => Number(occurred_at.slice(17, 19));
  const contentOf = ({ name }: Saved): string => readFileSync(join(directory, name), 'utf8');

  describe.skipIf(client.missing !== undefined)(named(client), () => {
    it('writes one event and a batch, and reads back what is stored', () => {
      expect(told.one.status).toBe(201);
      expect(told.one.event).toEqual(stored.find((event) => event.sequence_number === 1));
      expect(told.one.event).toMatchObject({
        action: 'user.login',
        actor: { id: 'usr_0', type: 'user', meta: { team: 'blue' } },
        target: null,
        diff: null,
        metadata: {},
        occurred_at: '2026-02-10T00:00:00.000000Z',
        previous_hash: '0'.repeat(64),
      });
      expect(told.one.event.received_at).toMatch(/\.\d{6}Z$/);
      expect(told.batch).toEqual({ status: 201, numbers: Array.from({ length: 100 }, (_, i) => i + 2) });
      expect(stored).toHaveLength(101);
    });

    it('pages through wildcards and times, both ends included, without a gap or a double', () => {
      expect(told.by_prefix).toEqual({ pages: 8, numbers: newest(({ action }) => action.startsWith('user.')) });
      expect(told.by_prefix.numbers).toHaveLength(51);
      expect(told.by_suffix).toEqual({ pages: 1, numbers: newest(({ action }) => action.endsWith('.deleted')) });
      const atTimes = newest((event) => secondsOf(event) >= 10 && secondsOf(event) <= 12);
      expect(told.by_time).toEqual({ pages: 1, numbers: atTimes });
      expect(atTimes).toHaveLength(6);
    });

    it('saves the export as JSON under the name that it is given, with all that is stored', () => {
      expect(told.json).toEqual({
        name: expect.stringMatching(/^events-export-\d{8}T\d{6}Z\.json$/),
        type: 'application/json',
      });
      expect(JSON.parse(contentOf(told.json))).toEqual(stored);
    });

    it('saves the export as CSV with its filters', () => {
      expect(told.csv).toEqual({ name: expect.stringMatching(/^events-export-\d{8}T\d{6}Z\.csv$/), type: 'text/csv' });
      const rows: Record<string, string>[] = parse(contentOf(told.csv), { columns: true });
      const expected = stored.filter(
        (event) => event.action.endsWith('.deleted') && event.actor.id === 'usr_1' && secondsOf(event) <= 30,
      );
      expect(expected.length).toBeGreaterThan(5);
      const cells = rows.map((row) => ({
        id: row.id,
        sequence_number: Number(row.sequence_number),
        action: row.action,
        actor: { id: row['actor.id'], type: row['actor.type'], meta: JSON.parse(row['actor.meta']!) },
        target: { type: row['target.type'], id: row['target.id'], meta: JSON.parse(row['target.meta']!) },
        diff: JSON.parse(row.diff!),
        metadata: JSON.parse(row.metadata!),
        occurred_at: row.occurred_at,
        hash: row.hash,
        previous_hash: row.previous_hash,
      }));
      expect(expected).toMatchObject(cells);
      expect(cells).toHaveLength(expected.length);
    });

    it('hears that the chain is valid', () => {
      const { events_checked, ...verdict } = told.verify;
      expect(verdict).toEqual({
        status: 'valid',
        first_event_id: stored.find((event) => event.sequence_number === 1)!.id,
        last_event_id: expect.any(String),
        broken_at_event_id: null,
        head: { sequence_number: events_checked, hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
      });
      // The exports before it are in the log as soon as they have ended.
      expect(events_checked).toBeGreaterThanOrEqual(101);
    });

    it.each([
      ['unknown_key', 401, 'authentication_error', 'unknown'],
      ['scope', 403, 'scope_error', '"events:write"'],
      ['plan', 403, 'plan_feature_unavailable', '"pro"'],
      ['missing', 404, 'not_found', 'no such event'],
      ['invalid', 422, 'validation_error', 'action'],
      ['too_many', 429, 'rate_limit_exceeded', 'Try again'],
    ] as const)('reads the error of %s: %i %s', (name, status, type, message) => {
      expect(told.errors[name]).toMatchObject({ status, type, message: expect.stringContaining(message) });
      expect(told.errors[name].remaining).toBeGreaterThanOrEqual(0);
      const { remaining, retry_after } = told.errors[name];
      if (status === 429) {
        expect(remaining).toBe(0);
        expect(retry_after).toSatisfy((seconds: number) => seconds >= 1 && seconds <= 60);
      } else expect(retry_after).toBeNull();
    });

    it('sees the rate limit on every reply', () => {
      expect(told.requests).toBeGreaterThan(rateLimit);
      expect(told.without_rate_limit).toBe(0);
    });
  });
});
