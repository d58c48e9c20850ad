import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RunningProcess, runLocal } from '../local/run-process.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
const tour = /^## Five-minute tour$(.*?)^## /ms.exec(readme)![1]!;
const blocks = [...tour.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands]) => commands!);

/** As a reader pastes them: one after the other, into one shell, beside a server that `npm start` runs. */
describe("The blocks of the README's tour", () => {
  let directory: string;
  let server: RunningProcess;
  let outputs: string[];
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'logferry-tour-'));
    server = runLocal('start.ts', [], { LOGFERRY_DATA: join(directory, '.data'), PORT: '0' });
    await server.printed('xargs curl -s\n');
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(server.stdout())!;
    const marked = blocks.map((block) => `${block.replace('http://127.0.0.1:3000', url!)}\necho '=== end'`);
    const shell = spawnSync('bash', ['--norc', '-euo', 'pipefail', '-c', marked.join('\n')], {
      cwd: directory,
      encoding: 'utf8',
    });
    expect([shell.status, shell.stderr]).toEqual([0, '']);
    outputs = shell.stdout.split('=== end\n').slice(0, -1);
  });
  afterAll(async () => {
    server.child.kill('SIGTERM');
    await server.exitCode();
    rmSync(directory, { recursive: true, force: true });
  });

  it('all run, and none answers with an error', () => {
    expect(outputs).toHaveLength(blocks.length);
    expect(outputs.filter((output) => output.includes('"error":{'))).toEqual([]);
  });

  it('give what is printed below them', () => {
    const [, written, batch, list, estimate, made, file, next, verdict, receipt, tenants] = outputs;
    expect(JSON.parse(written!).data).toMatchObject({ action: 'user.login', sequence_number: 3 });
    expect(batch).toBe('{"data":{"accepted":2}}');
    expect(JSON.parse(list!)).toMatchObject({ data: [{ action: 'user.logout' }], meta: { has_more: true } });
    expect(JSON.parse(estimate!)).toMatchObject({ rows: 2, rows_is: 'exact', warnings: [] });
    expect(JSON.parse(made!)).toMatchObject({ status: 'completed', rows: 2, as_of_sequence: 5 });
    expect(file!.split('\r\n')).toEqual([
      'Time,User,metadata.mfa',
      expect.stringMatching(/^\S+Z,ana@example\.com,true$/),
      expect.stringMatching(/^\S+Z,,$/),
      '',
    ]);
    // When the file was served is written a moment after it was.
    expect(JSON.parse(next!)).toMatchObject({
      status: 'completed',
      rows: expect.toSatisfy((rows: number) => rows >= 3),
    });
    expect(JSON.parse(verdict!).data).toMatchObject({ status: 'valid' });
    expect(receipt).toMatch(
      /^\{"mediaType":"application\/vnd\.dev\.sigstore\.bundle\.v0\.3\+json","verificationMateri\n$/,
    );
    expect(tenants).toMatch(/"external_id":"acme".*"key":"lf_sk_/s);
  });
});
