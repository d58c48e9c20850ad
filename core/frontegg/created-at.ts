import type { FieldError } from '../errors.ts';
import type { Filter } from '../events/filter.ts';
import { formatTimestamp, parseTimestamp, type Timestamp } from '../times.ts';
import type { Value } from './parameters.ts';

/** The bounds of a filter on the time of events, both inclusive. */
export type TimeRange = Pick<Filter, 'from' | 'to'>;

/**
 * Clients see `createdAt` cut to milliseconds, so that is what they compare with: what they have seen once is in a range
 * that begins or ends there, and not in one that begins after it.
 */
const bounds: Record<string, (time: Timestamp) => TimeRange> = {
  $gte: (time) => ({ from: firstOf(time) }),
  $gt: (time) => ({ from: firstOf(shifted(time, 1)) }),
  $lte: (time) => ({ to: lastOf(time) }),
  $lt: (time) => ({ to: lastOf(shifted(time, -1)) }),
  $eq: (time) => ({ from: firstOf(time), to: lastOf(time) }),
};

/** Reads what parameters ask of the time of events: `created_from`, `created_to` and tests of `createdAt`. */
export function readTimeRange(parameters: ReadonlyMap<string, readonly Value[]>): TimeRange & { errors: FieldError[] } {
  const errors: FieldError[] = [];
  let range: TimeRange = {};
  const tests = [
    ...testsOf(parameters, 'created_from', '$gte'),
    ...testsOf(parameters, 'created_to', '$lte'),
    ...testsOf(parameters, 'createdAt', '$eq'),
  ];
  for (const { name, operator, operand } of tests) {
    const bound = Object.hasOwn(bounds, operator) ? bounds[operator] : undefined;
    const time = parseTimestamp(String(operand), operator === '$lte' ? 'end' : 'start');
    if (!bound)
      errors.push({ path: name, message: `takes ${Object.keys(bounds).join(', ')}, not ${operator.slice(0, 80)}` });
    else if (!time) errors.push({ path: name, message: notATime(String(operand)) });
    else range = narrowed(range, bound(time));
  }
  return { ...range, errors };
}

function testsOf(parameters: ReadonlyMap<string, readonly Value[]>, name: string, plainly: string) {
  const values = parameters.get(name) ?? [];
  const tests = values.map((value) =>
    typeof value === 'string' ? { name, operator: plainly, operand: value as unknown } : { name, ...value },
  );
  // A table whose dates were cleared still sends what is around them.
  return tests.filter(({ operand }) => operand !== '' && operand !== null && operand !== '{}');
}

const notATime = (text: string): string =>
  /\d:\d\d[\d:.]* \d\d:?\d\d$/.test(text)
    ? 'is not a time; in a query string write the + of a zone as %2B'
    : 'must be an ISO 8601 time such as 2026-11-22T10:00:00.000Z';

const narrowed = (one: TimeRange, other: TimeRange): TimeRange => ({
  from: [one.from, other.from]
    .filter((time) => time !== undefined)
    .sort()
    .at(-1),
  to: [one.to, other.to]
    .filter((time) => time !== undefined)
    .sort()
    .at(0),
});

const firstOf = (time: Timestamp): Timestamp => `${time.slice(0, 23)}000Z`;
const lastOf = (time: Timestamp): Timestamp => `${time.slice(0, 23)}999Z`;

/** The time so many milliseconds later; the first or the last one there is where that would be beyond. */
function shifted(time: Timestamp, milliseconds: number): Timestamp {
  const text = formatTimestamp(new Date(Date.parse(`${time.slice(0, 23)}Z`) + milliseconds));
  return parseTimestamp(text) ?? time;
}
