import { describe, expect, it } from 'vitest';
import { exportRequestSchema } from '../../../core/exports/exports.ts';
import { contentType, downloadName } from '../../../core/exports/stored-file.ts';

const asOf = '2026-11-22T10:00:00.000000Z';

describe('downloadName', () => {
  it.each([
    [undefined, 'csv', 'none', 'events-export-20261122T100000Z.csv'],
    [undefined, 'ndjson', 'zstd', 'events-export-20261122T100000Z.ndjson.zst'],
    ['january', 'csv', 'gzip', 'january.csv.gz'],
    ['january.csv', 'csv', 'gzip', 'january.csv.gz'],
    ['january.CSV.GZ', 'csv', 'gzip', 'january.CSV.GZ'],
    ['january.gz', 'csv', 'gzip', 'january.gz.csv.gz'],
    ['Jänner ☃', 'json', 'none', 'Jänner ☃.json'],
  ] as const)('makes of %s as %s, %s: %s', (asked, format, compression, expected) => {
    expect(downloadName({ format, compression }, asOf, asked)).toBe(expected);
  });
});

it('calls a compressed file by its compression: as an encoding, browsers would unpack it', () => {
  expect(contentType({ format: 'csv', compression: 'gzip' })).toBe('application/gzip');
  expect(contentType({ format: 'csv', compression: 'none' })).toBe('text/csv; charset=utf-8');
});

it('takes a name of 150 characters, however many bytes they have, and refuses 151', () => {
  const named = (file_name: string) => exportRequestSchema.safeParse({ format: 'csv', file_name }).success;
  expect(named('🗄'.repeat(150))).toBe(true);
  expect(named('a'.repeat(151))).toBe(false);
  for (const name of ['', 'a/b', 'a\\b', 'a\nb', 'a\u0000b', 'a\u2028b', '\ud800'])
    expect([name, named(name)]).toEqual([name, false]);
});
