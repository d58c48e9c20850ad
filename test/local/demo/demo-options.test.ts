import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readDemoOptions } from '../../../local/demo/demo-options.ts';

const read = (...args: string[]) => readDemoOptions(args, import.meta.dirname);

test('takes a number of rows, a file beside the caller, or neither', () => {
  expect(read()).toEqual({ rows: 200_000 });
  expect(read('--rows', '7')).toEqual({ rows: 7 });
  expect(read('--rows=1000000')).toEqual({ rows: 1_000_000 });
  expect(read('--events', 'demo-options.test.ts')).toEqual({ file: join(import.meta.dirname, 'demo-options.test.ts') });
  expect(read('--help', '--rows', '5')).toBeUndefined();
});

test.each([
  [['--rows', '0'], /^--rows must be a whole number from 1 to 100000000, not "0"\.$/],
  [['--rows', 'many'], /not "many"\.$/],
  [['--rows', '-5'], /not "-5"\.$/],
  [['--rows', '1e3'], /not "1e3"\.$/],
  [['--rows', '100000001'], /not "100000001"\.$/],
  [['--rows'], /^--rows must be a whole number from 1 to 100000000\.$/],
  [['--rows=1', '--rows=2'], /^--rows is given twice\.$/],
  [['--row', '5'], /^Unknown option "--row", did you mean "--rows"\? Allowed: --events, --rows, --help\.$/],
  [['--__proto__'], /^Unknown option "--__proto__"\. /],
  [['events.ndjson'], /^The demo takes no argument "events\.ndjson"; files go after --events\.$/],
  [['--events'], /^--events needs the name of a file\.$/],
  [['--events', 'none'], /^There is no file .*none\.$/],
  [['--events', '.'], /is a directory; --events needs a file\.$/],
  [['--events', 'x', '--rows', '3'], /^--rows is the number of made events: it does not go with --events\.$/],
])('refuses %j in one line, with exit code 2', (args, message) => {
  expect(() => read(...args)).toThrow(
    expect.objectContaining({ exitCode: 2, message: expect.stringMatching(message) }),
  );
});
