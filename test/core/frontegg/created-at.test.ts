import { expect, it } from 'vitest';
import { readTimeRange } from '../../../core/frontegg/created-at.ts';
import type { Value } from '../../../core/frontegg/parameters.ts';

const read = (name: string, ...values: Value[]) => readTimeRange(new Map([[name, values]]));
const test = (operator: string, operand: unknown) => ({ operator, operand });
const at = '2026-11-22T10:00:00.123Z';

it.each([
  ['created_from', at, '2026-11-22T10:00:00.123000Z', undefined],
  ['created_from', '2026-11-22', '2026-11-22T00:00:00.000000Z', undefined],
  ['created_from', '2026-11-22T10:00:00', '2026-11-22T10:00:00.000000Z', undefined],
  ['created_to', at, undefined, '2026-11-22T10:00:00.123999Z'],
  ['created_to', '2026-11-22', undefined, '2026-11-22T23:59:59.999999Z'],
  ['createdAt', at, '2026-11-22T10:00:00.123000Z', '2026-11-22T10:00:00.123999Z'],
  ['createdAt', test('$gt', at), '2026-11-22T10:00:00.124000Z', undefined],
  ['createdAt', test('$gte', at), '2026-11-22T10:00:00.123000Z', undefined],
  ['createdAt', test('$lt', at), undefined, '2026-11-22T10:00:00.122999Z'],
  ['createdAt', test('$lte', at), undefined, '2026-11-22T10:00:00.123999Z'],
  ['createdAt', test('$gt', '9999-12-31T23:59:59.999999Z'), '9999-12-31T23:59:59.999000Z', undefined],
  ['createdAt', test('$lt', '0001-01-01T00:00:00Z'), undefined, '0001-01-01T00:00:00.000999Z'],
])('reads %s %o as a range of whole milliseconds', (name, value, from, to) => {
  expect(read(name, value)).toEqual({ from, to, errors: [] });
});

it('takes the narrowest of several bounds', () => {
  const values = [
    test('$gte', '2026-01-01'),
    test('$gt', '2026-02-01'),
    test('$lt', '2026-03-01'),
    test('$lte', '2026-04-01'),
  ];
  expect(read('createdAt', ...values)).toMatchObject({
    from: '2026-02-01T00:00:00.001000Z',
    to: '2026-02-28T23:59:59.999999Z',
  });
});

it.each([
  ['createdAt', test('$in', [at]), 'takes $gte, $gt, $lte, $lt, $eq, not $in'],
  ['createdAt', test('constructor', at), 'takes $gte'],
  ['created_from', '2026-11-22T10:00:00 02:00', 'write the + of a zone as %2B'],
  ['created_to', '1763805600', 'must be an ISO 8601 time'],
])('tells what is wrong with %s %o', (name, value, message) => {
  expect(read(name, value).errors).toEqual([{ path: name, message: expect.stringContaining(message) }]);
});
