import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../core/json/canonical-json.ts';
import { wholeEventJson } from '../../prisma/sql/event-json.ts';
import { arbitraryEvent } from '../core/events/arbitrary-event.ts';
import { type EventDatabase, newEvent, openEventDatabase } from '../prisma/event-database.ts';

const root = join(import.meta.dirname, '../..');
const documentText = readFileSync(join(root, 'docs/chain.md'), 'utf8');
/** The fenced blocks of this language. */
const blocks = (language: string) =>
  [...documentText.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map((match) => match[1]!);

const directory = mkdtempSync(join(tmpdir(), 'logferry-chain-'));
const file = (name: string, text: string) => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
const python = file('check_chain.py', blocks('python')[0]!);
const node = join(root, 'test/check-chain.ts');
const hasPython = spawnSync('python3', ['--version']).status === 0;

const run = promisify(execFile);
type Checker = (ndjson: string) => Promise<string>;
const checker =
  (command: string, program: string): Checker =>
  async (ndjson) => {
    const { stdout } = await run(command, [program, file('events.ndjson', ndjson)]).catch((failure) => ({
      stdout: failure.stdout + failure.stderr,
    }));
    return stdout.trim();
  };
const checkers: [name: string, check: Checker, skipped: boolean][] = [
  ['Node', checker(process.execPath, node), false],
  [hasPython ? 'Python' : 'Python (skipped: there is no python3 here)', checker('python3', python), !hasPython],
];

let events: EventDatabase;
beforeAll(async () => {
  events = await openEventDatabase();
});
afterAll(async () => {
  await events.close();
  rmSync(directory, { recursive: true });
});

/** All of a tenant's events as an NDJSON file has them. */
async function ndjson(tenant: string): Promise<string[]> {
  const rows = await events.sql<{ line: string }>(
    `select ${wholeEventJson} as line from events where tenant_id = $1 order by sequence_number`,
    [tenant],
  );
  return rows.map((row) => row.line);
}

describe('docs/chain.md', () => {
  const sha256 = (...parts: (string | Buffer)[]) =>
    parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();

  it('has an example of which every figure is right', () => {
    const [ndjsonBlock] = blocks('ndjson');
    let previous: Buffer = Buffer.alloc(32);
    const figures: string[] = [];
    for (const line of ndjsonBlock!.trim().split('\n')) {
      const { sequence_number, created_at: _, hash, previous_hash, ...members } = JSON.parse(line);
      const number = Buffer.from(sequence_number.toString(16).padStart(16, '0'), 'hex');
      const digest = sha256(canonicalJson(members));
      expect(previous_hash).toBe(previous.toString('hex'));
      previous = sha256(previous, number, digest);
      expect(hash).toBe(previous.toString('hex'));
      figures.push(digest.toString('hex'), number.toString('hex'), hash);
      if (sequence_number === 1) expect(blocks('json')[0]!.trim()).toBe(canonicalJson(members));
    }
    const prose = documentText.replace(ndjsonBlock!, '');
    for (const figure of figures) expect(prose).toContain(`\`${figure}\``);
  });

  it('shows the Node program that is tested here', () => {
    expect(blocks('ts')).toEqual([readFileSync(node, 'utf8')]);
  });
});

describe.each(checkers)('the %s program of docs/chain.md', (_name, check, skipped) => {
  it.skipIf(skipped)('finds the example of the document to hold', async () => {
    expect(await check(blocks('ndjson')[0]!)).toMatch(/^events 1 to 2 hold, the last hash is [0-9a-f]{64}$/);
  });

  it.skipIf(skipped)('finds a file of any events to hold, in any order, whole or from a later number', async () => {
    const tenant = await events.newTenant();
    const given = fc.sample(arbitraryEvent, 300).map((value) => newEvent(value));
    await events.append(tenant, given);
    const lines = await ndjson(tenant);
    const { hash } = await events.head(tenant);
    expect(await check(lines.join('\n'))).toBe(`events 1 to 300 hold, the last hash is ${hash}`);
    expect(await check(`${lines.toReversed().join('\n')}\n`)).toBe(`events 1 to 300 hold, the last hash is ${hash}`);
    expect(await check(lines.slice(100).join('\n'))).toBe(`events 101 to 300 hold, the last hash is ${hash}`);
  });

  it.skipIf(skipped)('finds an event that was changed, removed, swapped or numbered anew', async () => {
    const tenant = await events.newTenant();
    await events.append(
      tenant,
      Array.from({ length: 5 }, (_, i) => newEvent({ action: `a${i + 1}`, metadata: { n: 1 } })),
    );
    const lines = await ndjson(tenant);
    const spoilt = (change: (event: Record<string, unknown>) => void, at = 2) => {
      const event = JSON.parse(lines[at]!);
      change(event);
      return lines.with(at, JSON.stringify(event)).join('\n');
    };
    const swapped = lines.with(1, lines[3]!.replace('"sequence_number":4', '"sequence_number":2'));
    const cases: [text: string, brokenAt: number][] = [
      [spoilt((event) => Object.assign(event, { action: 'x' })), 3],
      [spoilt((event) => Object.assign(event, { metadata: { n: 1.5 } })), 3],
      [spoilt((event) => Object.assign(event, { created_at: '2026-01-01T00:00:00.000000Z' })), 3],
      [spoilt((event) => Object.assign(event, { added: null })), 3],
      [spoilt((event) => Object.assign(event, { hash: 'a'.repeat(64) })), 3],
      [spoilt((event) => Object.assign(event, { previous_hash: 'a'.repeat(64) }), 0), 1],
      [lines.toSpliced(2, 1).join('\n'), 4],
      [swapped.join('\n'), 2],
      [[...lines, lines[4]].join('\n'), 5],
    ];
    for (const [text, brokenAt] of cases) expect(await check(text)).toMatch(`broken at event ${brokenAt} (`);
  });
});
