import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compactTimestamp, formatTimestamp, now, parseTimestamp } from '../../core/times.ts';

describe('parseTimestamp', () => {
  it.each([
    ['2026-11-22T10:00:00Z', '2026-11-22T10:00:00.000000Z'],
    ['2026-11-22t10:00:00.5z', '2026-11-22T10:00:00.500000Z'],
    ['2026-11-22 10:00', '2026-11-22T10:00:00.000000Z'],
    ['2026-11-22T10:00:00', '2026-11-22T10:00:00.000000Z'],
    ['2026-11-22T00:30:00+02:00', '2026-11-21T22:30:00.000000Z'],
    ['2026-12-31T23:30:00-0100', '2027-01-01T00:30:00.000000Z'],
    ['2024-02-29T12:00:00Z', '2024-02-29T12:00:00.000000Z'],
    ['0099-01-01T00:00:00+00:00', '0099-01-01T00:00:00.000000Z'],
    ['2026-11-22T10:00:00.123456789Z', '2026-11-22T10:00:00.123456Z'],
  ])('reads %s as %s', (text, expected) => {
    expect(parseTimestamp(text)).toBe(expected);
  });

  it.each([
    '',
    'now',
    '2026-11-22',
    '2026-13-01T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-11-22T24:00:00Z',
    '2026-11-22T10:60:00Z',
    '2026-12-31T23:59:60Z',
    '2026-11-22T10:00:00+25:00',
    '9999-12-31T23:59:59-01:00',
    '0000-01-01T00:00:00Z',
    '1764000000',
    '2026-11-22T10:00:00Z ',
  ])('refuses %j', (text) => {
    expect(parseTimestamp(text)).toBeUndefined();
  });

  it('takes a date alone for its first or its last microsecond where that is asked for', () => {
    expect(parseTimestamp('2026-11-22', 'start')).toBe('2026-11-22T00:00:00.000000Z');
    expect(parseTimestamp('2026-11-22', 'end')).toBe('2026-11-22T23:59:59.999999Z');
    expect(parseTimestamp('2026-02-30', 'end')).toBeUndefined();
  });

  it('means the same moment as Date, in any zone', () => {
    const moment = fc.date({
      min: new Date('0001-01-03T00:00:00Z'),
      max: new Date('9999-12-29T00:00:00Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(moment, fc.integer({ min: -1439, max: 1439 }), (date, minutes) => {
        const sign = minutes < 0 ? '-' : '+';
        const two = (n: number) => String(Math.trunc(n)).padStart(2, '0');
        const zone = `${sign}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
        const local = new Date(date.getTime() + minutes * 60_000).toISOString().replace('Z', zone);
        expect(parseTimestamp(local)).toBe(formatTimestamp(date));
      }),
    );
  });
});

it('writes six digits, and a form for file names without any', () => {
  expect(now()).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/);
  expect(compactTimestamp('2026-11-22T10:00:00.123456Z')).toBe('20261122T100000Z');
});
