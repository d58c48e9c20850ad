import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { targetIds } from '../../bench/targets.ts';
import { redisService, s3Service } from '../services/services.ts';

type Result = {
  id: string;
  figure?: { median: number; least: number; most: number; rounds: number };
  beside: string;
  verdict: string;
};

const root = join(import.meta.dirname, '../..');
const [redis, s3] = [await redisService(), await s3Service()];

/** The servers of this run, so that the benchmark need not start its own. */
const environment = {
  ...process.env,
  ...('url' in redis ? { REDIS_TEST_URL: redis.url } : {}),
  ...('endpoint' in s3
    ? {
        S3_TEST_ENDPOINT: s3.endpoint,
        AWS_REGION: s3.region,
        AWS_ACCESS_KEY_ID: s3.accessKeyId,
        AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
      }
    : {}),
};

const bench = (args: string[], more: Record<string, string> = {}) =>
  spawn(process.execPath, ['bench/main.ts', ...args], {
    cwd: root,
    env: { ...environment, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

describe('npm run bench', () => {
  const directory = mkdtempSync(join(tmpdir(), 'logferry-test-bench-'));
  let results: Result[];
  let table: string;
  let log: string;
  let stop = () => false;
  beforeAll(async () => {
    const child = bench(['--rows', '2000', '--large', '4000', '--rounds', '1', '--out', directory]);
    stop = () => child.kill('SIGTERM');
    const [[code], said] = await Promise.all([once(child, 'close'), text(child.stderr), text(child.stdout)]);
    log = said;
    expect({ code, log }).toMatchObject({ code: 0 });
    table = readFileSync(join(directory, 'table.md'), 'utf8');
    results = JSON.parse(readFileSync(join(directory, 'figures.json'), 'utf8')).results;
  }, 240_000);
  afterAll(() => {
    stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('has a line for every target, in the table and among the figures', () => {
    expect(results.map(({ id }) => id)).toEqual(targetIds);
    for (const id of targetIds) expect(table).toMatch(new RegExp(`^\\| ${id} \\|.*\\|.*\\|`, 'm'));
  });

  it('measures all of them, or says what was missing', () => {
    const reasons = results.filter(({ figure }) => !figure).map(({ beside }) => beside);
    expect(reasons.filter((reason) => !/^(no Redis|no S3|only Linux)/.test(reason))).toEqual([]);
    expect(log).not.toContain('failed');
  });

  it('gives figures that can be: above nothing, the middle between the ends, and what misses its target says so', () => {
    for (const { figure, verdict } of results) {
      if (!figure) continue;
      expect(figure.median).toBeGreaterThan(0);
      expect(figure.median).toBeLessThan(1_000_000);
      expect(figure.least).toBeLessThanOrEqual(figure.median);
      expect(figure.most).toBeGreaterThanOrEqual(figure.median);
      expect(verdict).toMatch(/^(met|missed by \d+ %)$/);
    }
  });

  it.skipIf(!('endpoint' in s3))(
    'is faster than pages of findMany (skipped: without an S3 server both are not measured)',
    () => {
      expect(results.find(({ id }) => id === 'P4a')!.figure!.median).toBeGreaterThan(1);
    },
  );

  it('ends at once, with all that it has started, when it is interrupted', async () => {
    const temporary = mkdtempSync(join(tmpdir(), 'logferry-test-bench-'));
    // For root PostgreSQL runs as another user, who has to pass.
    chmodSync(temporary, 0o755);
    const size = ['--rows', '2000', '--large', '4000', '--rounds', '1', '--only', 'P1'];
    const child = bench([...size, '--out', directory], { TMPDIR: temporary });
    const ended = once(child, 'close');
    let said = '';
    const filling = new Promise<void>((resolve) => {
      child.stderr.on('data', (chunk) => {
        said += chunk;
        if (said.includes('filling')) resolve();
      });
    });
    await Promise.race([filling, ended]);
    const [pidFile] = globSync(join(temporary, '*/cluster/postmaster.pid'));
    const postgresPid = Number(readFileSync(pidFile!, 'utf8').split('\n')[0]);
    child.kill('SIGINT');
    const [code] = await ended;
    expect({ code, said }).toEqual({ code: 1, said: expect.stringMatching(/\nInterrupted\.\n$/) });
    expect(() => process.kill(postgresPid, 0)).toThrow('ESRCH');
    expect(readdirSync(temporary)).toEqual([]);
    rmSync(temporary, { recursive: true });
  }, 60_000);

  it('refuses arguments that are none', async () => {
    const child = bench(['--rows', 'many']);
    const [said] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect(said).toBe('--rows must be a whole number from 1000 on\n');
  });
});
