import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runLocal } from '../run-process.ts';

// Whole processes with a database each, on whatever machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'logferry-demo-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const demo = (...args: string[]) => runLocal('demo/demo.ts', args, { LOGFERRY_DATA: join(directory, 'data') });

/** Runs a demo that must succeed; gives what it printed and the records of the file it left. */
async function finishedDemo(...args: string[]) {
  const process = demo(...args);
  expect([await process.exitCode(), process.stderr()]).toEqual([0, '']);
  const printed = process.stdout();
  const path = /signed link of the webhook: (\S+)/.exec(printed)![1]!;
  const bytes = await readFile(path);
  expect(printed).toContain(createHash('sha256').update(bytes).digest('hex'));
  return { printed, records: parse(gunzipSync(bytes)) as string[][] };
}

test('loads, exports, receives, downloads and checks made events, and then a file in the same directory', async () => {
  const { printed, records } = await finishedDemo('--rows', '5000');
  const steps = ['Start', 'Tenant', 'Load', 'Export', 'Webhook', 'Download', 'Check'];
  expect(printed.match(/^ {2}\d {2}\w+/gm)).toEqual(steps.map((title, index) => `  ${index + 1}  ${title}`));
  expect(printed).toContain('5,000 events in ');
  expect(printed).toContain(`${(records.length - 1).toLocaleString('en')} rows in the file`);
  expect(printed).toMatch(/Peak memory of this process: \d+ MiB/);
  expect(records.length - 1).toBeGreaterThan(4000);
  expect(records.length - 1).toBeLessThan(5000);

  const file = join(directory, 'events.ndjson');
  const event = (n: number) => ({
    action: 'bucket.read',
    severity: n === 2 ? 'Error' : 'Info',
    actor: { id: `u${n}`, name: 'Zoë, "Z"' },
    occurred_at: `2023-07-10T11:42:1${n}Z`,
    metadata: { event_type: 'AwsApiCall', read_only: true, request: { role: `role-${n}` } },
  });
  await writeFile(file, [0, 1, 2].map((n) => JSON.stringify(event(n))).join('\n'));
  expect((await finishedDemo('--events', file)).records).toEqual([
    ['No.', 'Time', 'Action', 'Severity', 'User', 'Event type', 'Read only', 'Request role'],
    ['3', '2023-07-10T11:42:10.000000Z', 'bucket.read', 'Info', 'Zoë, "Z"', 'AwsApiCall', 'true', 'role-0'],
    ['4', '2023-07-10T11:42:11.000000Z', 'bucket.read', 'Info', 'Zoë, "Z"', 'AwsApiCall', 'true', 'role-1'],
  ]);
});

test('says in one line which line of a file is bad, or that there is none, and ends 1', async () => {
  const bad = join(directory, 'bad.ndjson');
  await writeFile(bad, '{"action": "a"}\n{"acton": "b"}\n');
  const empty = join(directory, 'empty.ndjson');
  await writeFile(empty, '\n');
  const refused = demo('--events', bad);
  expect(await refused.exitCode()).toBe(1);
  expect(refused.stderr()).toMatch(/^POST \/v1\/events\/batch answered 422: Line 2: .*acton.*\n$/);
  const nothing = demo('--events', empty);
  expect(await nothing.exitCode()).toBe(1);
  expect(nothing.stderr()).toBe('There are no events to load.\n');
});

test('ends 2 with one line when it is called wrongly, and touches nothing', async () => {
  const missing = demo('--events', join(directory, 'none.ndjson'));
  expect(await missing.exitCode()).toBe(2);
  expect(missing.stderr()).toBe(`There is no file ${join(directory, 'none.ndjson')}.\n`);
  expect(missing.stdout()).toBe('');
});

test('stops everything on Ctrl-C while events are loaded, and ends 130', async () => {
  const process = demo('--rows', '5000000');
  await process.printed('Load');
  process.child.kill('SIGINT');
  expect(await process.exitCode()).toBe(130);
  expect(process.stderr()).toBe('');
  expect(await readdir(join(directory, 'data', 'postgres'))).not.toContain('owner');
  expect(existsSync(join(directory, 'data', 'postgres', 'cluster', 'postmaster.pid'))).toBe(false);
  const left = execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8' });
  expect(left).not.toContain(join(directory, 'data'));
});
