import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../core/config.ts';
import { checkMachine, nodeFinding } from '../../doctor/check-machine.ts';

describe('The check of the machine', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'logferry-machine-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it.each([
    ['20.19.0', 'failure'],
    ['22.17.9', 'failure'],
    ['22.18.0', 'ok'],
    ['24.1.0', 'ok'],
    ['100.0.0', 'ok'],
  ])('finds Node.js %s %s', (version, level) => {
    expect(nodeFinding(version).level).toBe(level);
  });

  it('names what LOGFERRY_DATA is to keep, also before it is made', async () => {
    const findings = await checkMachine(readConfig({ LOGFERRY_DATA: join(directory, 'not', 'yet') }));
    expect(findings[1]).toMatchObject({
      level: 'ok',
      text: expect.stringMatching(
        /not\/yet keeps the database of npm start, files, the secret key; [\d.]+ GiB are free/,
      ),
    });
  });

  it('fails one that cannot be written', async () => {
    const file = join(directory, 'a-file');
    await writeFile(file, '');
    const findings = await checkMachine(readConfig({ LOGFERRY_DATA: join(file, 'data') }));
    expect(findings[1]).toMatchObject({ level: 'failure', text: expect.stringContaining('cannot be written') });
  });

  it('needs none where all is kept elsewhere', async () => {
    const elsewhere = {
      DATABASE_URL: 'postgresql://db.example.com/logferry',
      STORAGE_URL: 's3://files',
      LOGFERRY_SECRET_KEY: Buffer.alloc(32).toString('base64'),
      LOGFERRY_DATA: '/proc/nothing',
    };
    expect((await checkMachine(readConfig(elsewhere)))[1]).toMatchObject({
      level: 'ok',
      text: expect.stringMatching(/^nothing/),
    });
  });
});
