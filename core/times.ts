/**
 * Times as the API writes them: RFC 3339, UTC, six fractional digits, `Z`. They stay text everywhere: a JavaScript Date
 * holds milliseconds and would lose the rest.
 */
export type Timestamp = string;

const hourPattern = String.raw`(?:[01]\d|2[0-3])`;
const date = String.raw`(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])`;
const timeOfDay = String.raw`[Tt ](${hourPattern}):([0-5]\d)(?::([0-5]\d)(?:[.,](\d{1,9}))?)?\s?(Z|z|[+-]${hourPattern}:?[0-5]\d)?`;

/** The forms that are read, as JSON Schema patterns. They take the 31st of February, too. */
export const timePatterns = { time: `^${date}${timeOfDay}$`, timeOrDate: `^${date}(?:${timeOfDay})?$` };

const pattern = new RegExp(timePatterns.timeOrDate);

/** What a date without a time of day stands for: its first or its last microsecond. */
export type DateOnly = 'start' | 'end' | 'refused';

/**
 * Reads an ISO 8601 / RFC 3339 time. Without a zone it is UTC; digits past the microsecond are cut off.
 * Gives undefined for anything else, for dates that do not exist, and for leap seconds.
 */
export function parseTimestamp(text: string, dateOnly: DateOnly = 'refused'): Timestamp | undefined {
  const match = pattern.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second = '00', fraction = '', zone = 'Z'] = match;
  if (hour === undefined) {
    if (dateOnly === 'refused' || !isDate(+year!, +month!, +day!)) return undefined;
    return `${year}-${month}-${day}T${dateOnly === 'start' ? '00:00:00.000000' : '23:59:59.999999'}Z`;
  }
  if (!isDate(+year!, +month!, +day!)) return undefined;
  const offset = offsetMinutes(zone);
  const micros = fraction.slice(0, 6).padEnd(6, '0');
  if (offset === 0) return `${year}-${month}-${day}T${hour}:${minute}:${second}.${micros}Z`;
  // Date.UTC would read the years 0 to 99 as 1900 to 1999, so the year is set apart.
  const utc = new Date(0);
  utc.setUTCFullYear(+year!, +month! - 1, +day!);
  utc.setUTCHours(+hour, +minute! - offset, +second, 0);
  if (utc.getUTCFullYear() < 1 || utc.getUTCFullYear() > 9999) return undefined;
  return `${utc.toISOString().slice(0, 19)}.${micros}Z`;
}

/** A Date in the API's form. */
export const formatTimestamp = (date: Date): Timestamp => date.toISOString().replace('Z', '000Z');

let latest = { ms: 0, text: '' };

/** Now in the API's form. A thousand events of one batch are received in a few milliseconds, which are written once each. */
export function now(): Timestamp {
  const ms = Date.now();
  if (ms !== latest.ms) latest = { ms, text: formatTimestamp(new Date(ms)) };
  return latest.text;
}

/** `20261122T100000Z`, for file names. */
export const compactTimestamp = (time: Timestamp): string => `${time.slice(0, 19).replaceAll(/[-:]/g, '')}Z`;

/** For what the pattern has let through: months from 1 to 12, days from 1. */
function isDate(year: number, month: number, day: number): boolean {
  if (year < 1) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]!;
}

function offsetMinutes(zone: string): number {
  if (zone === 'Z' || zone === 'z') return 0;
  return (zone[0] === '-' ? -1 : 1) * (+zone.slice(1, 3) * 60 + +zone.slice(-2));
}

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;
