import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

/** Lines that a process logs with `statement`, and what it printed besides. */
function logged(statement: string) {
  const script = `import { makeLog } from './core/log.ts'; const log = makeLog('info'); ${statement}`;
  const node = join(root, 'node_modules', '.bin', 'node');
  const { stdout, stderr } = spawnSync(node, ['--input-type=module', '-e', script], { cwd: root, encoding: 'utf8' });
  return {
    stdout,
    lines: stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  };
}

test('writes JSON lines of the asked level to standard error, and nothing to standard output', () => {
  const { stdout, lines } = logged(`log.debug('unheard'); log.info({ export_id: 'e1' }, 'export started');`);
  expect(stdout).toBe('');
  expect(lines).toEqual([
    { level: 30, time: expect.stringMatching(/^\d{4}-.*Z$/), export_id: 'e1', msg: 'export started' },
  ]);
});

test('never writes secrets, wherever they stand', () => {
  const { lines } = logged(`log.info({ key: 'a', webhook: { secret: 'b', more: { token: 'c' } } }, 'made');`);
  expect(lines[0]).toMatchObject({
    key: '[redacted]',
    webhook: { secret: '[redacted]', more: { token: '[redacted]' } },
  });
});

test('puts out secrets that stand in texts of others: messages, stacks, causes, paths, and the message itself', () => {
  const secret = randomBytes(9).toString('hex');
  const { lines } = logged(`
    const cause = new Error('connect redis://:${secret}@cache.example.com failed');
    const err = new Error('postgresql://logferry:${secret}@db.example.com/logferry: no', { cause });
    log.error({ err, path: '/files/a?expires=1&signature=${secret}' }, 'sent Authorization: Bearer ${secret}');
    log.child({ export_id: 'https://b.example.com/k?X-Amz-Signature=${secret}' }).warn('again');`);
  expect(lines).toHaveLength(2);
  expect(JSON.stringify(lines)).not.toContain(secret);
  expect(lines[0]).toMatchObject({
    msg: 'sent Authorization: Bearer [redacted]',
    path: '/files/a?expires=1&signature=[redacted]',
    err: { message: 'postgresql://logferry:[redacted]@db.example.com/logferry: no' },
  });
});

test('writes of an error its type, code, message, stack and causes, and nothing else that hangs on it', () => {
  const { lines } = logged(`
    const cause = Object.assign(new Error('inner'), { client: { connectionParameters: { user: 'logferry' } } });
    log.warn({ err: Object.assign(new TypeError('outer', { cause }), { code: '57P01', parameters: ['x'] }) }, 'failed');`);
  expect(lines[0].err).toEqual({
    type: 'TypeError',
    code: '57P01',
    message: 'outer',
    stack: expect.stringContaining('TypeError: outer'),
    cause: { type: 'Error', message: 'inner', stack: expect.any(String) },
  });
});
