import { expect, test } from 'vitest';
import { severities } from '../../../core/events/events.ts';
import { readNewEvent } from '../../../core/events/new-event.ts';
import { demoEvents } from '../../../local/demo/demo-events.ts';

const until = new Date('2026-11-22T00:00:00Z');
const linesOf = (rows: number, seed = 1) =>
  [...demoEvents({ rows, seed, until, days: 90 })].join('').trimEnd().split('\n');

test('makes as many events as asked for, the same for the same seed', () => {
  expect([1, 100, 250].map((rows) => linesOf(rows).length)).toEqual([1, 100, 250]);
  expect(linesOf(250)).toEqual(linesOf(250));
  expect(linesOf(250, 2)).not.toEqual(linesOf(250));
});

test('makes events that the API takes, of every severity, over the whole time', () => {
  const events = linesOf(5000).map((line) => {
    const read = readNewEvent(JSON.parse(line));
    if ('errors' in read) throw new Error(JSON.stringify(read.errors));
    return read.event;
  });
  expect(new Set(events.map((event) => event.severity))).toEqual(new Set(severities));
  expect(new Set(events.map((event) => event.action)).size).toBeGreaterThan(5);
  expect(new Set(events.map((event) => event.actor_email)).size).toBeGreaterThan(100);
  const times = events.map((event) => event.occurred_at).sort();
  expect(times[0]!.slice(0, 10)).toBe('2026-08-24');
  expect(times.at(-1)!.slice(0, 10)).toBe('2026-11-21');
});

test('makes rows like real ones: quotes and commas to escape, 150 to 250 bytes of nested metadata, reserved addresses', () => {
  const events = linesOf(5000).map((line) => JSON.parse(line));
  expect(events.filter(({ description }) => /".*,|,.*"/.test(description)).length).toBeGreaterThan(1000);
  const sizes = events.map(({ metadata }) => Buffer.byteLength(JSON.stringify(metadata)));
  expect(Math.min(...sizes)).toBeGreaterThanOrEqual(150);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(250);
  for (const { context, actor } of events) {
    expect(context.ip).toMatch(/^(192\.0\.2|198\.51\.100|203\.0\.113)\.\d+$|^2001:db8:[0-9a-f]{1,4}::[0-9a-f]{1,4}$/);
    expect(actor.email).toMatch(/@example\.(com|net|org)$/);
  }
});
