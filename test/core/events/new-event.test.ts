import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NewEvent } from '../../../core/events/event-columns.ts';
import { compartmentTexts, eventJson } from '../../../core/events/event-text.ts';
import type { Event } from '../../../core/events/events.ts';
import { readNewEvent } from '../../../core/events/new-event.ts';
import { parseJson } from '../../../core/json/json.ts';
import { arbitraryEvent } from './arbitrary-event.ts';

function taken(value: unknown): NewEvent {
  const read = readNewEvent(value);
  if ('errors' in read) throw new Error(JSON.stringify(read.errors));
  return read.event;
}
function mistakes(value: unknown) {
  const read = readNewEvent(value, 'events.7');
  if ('event' in read) throw new Error(`${JSON.stringify(value)} was taken`);
  return read.errors;
}
const link = { sequenceNumber: 1, hash: 'b'.repeat(64), previousHash: 'a'.repeat(64) };

describe('readNewEvent', () => {
  it('completes an event of an action alone', () => {
    const event = taken({ action: 'user.login' });
    expect(parseJson(eventJson(event, link))).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      sequence_number: 1,
      action: 'user.login',
      severity: 'Info',
      actor: { id: null, type: null, name: null, email: null, meta: null },
      target: null,
      context: { ip: null, user_agent: null },
      description: null,
      diff: null,
      metadata: {},
      occurred_at: event.received_at,
      received_at: event.received_at,
      created_at: event.received_at,
      hash: link.hash,
      previous_hash: link.previousHash,
      proof: { seed: expect.stringMatching(/^[\w-]{22}$/) },
    });
    expect(event.own_id).toBe(false);
  });

  it('takes null for every member that may be left out', () => {
    const names = ['id', 'severity', 'actor', 'target', 'context', 'description', 'diff', 'metadata', 'occurred_at'];
    const event = taken({ action: 'a', ...Object.fromEntries(names.map((name) => [name, null])) });
    expect(event).toMatchObject({
      severity: 'Info',
      context: '{"ip":null,"user_agent":null}',
      metadata: '{}',
      diff: null,
    });
  });

  it('keeps one side of a diff, and takes a diff or target without any content for none', () => {
    expect(taken({ action: 'a', diff: { after: 1 } }).diff).toBe('{"after":1,"before":null}');
    const empty = taken({ action: 'a', diff: {}, target: {} });
    expect(parseJson(eventJson(empty, link))).toMatchObject({ diff: null, target: null });
    expect((parseJson(eventJson(taken({ action: 'a', target: { meta: {} } }), link)) as Event).target).toEqual({
      type: null,
      id: null,
      meta: {},
    });
  });

  it.each(['Info', 'info', 'MEDIUM', 'hIGH', 'critical', 'ERROR'])('reads the severity %s in any case', (severity) => {
    const canonical = severity[0]!.toUpperCase() + severity.slice(1).toLowerCase();
    expect(taken({ action: 'a', severity }).severity).toBe(canonical);
  });

  it.each([
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000000Z'],
    ['2026-01-02T03:04:05.1234567891Z'.replace('1Z', 'Z'), '2026-01-02T03:04:05.123456Z'],
    ['2026-01-02T03:04:05+05:30', '2026-01-01T21:34:05.000000Z'],
    ['2026-01-02t03:04:05.5z', '2026-01-02T03:04:05.500000Z'],
    ['2026-01-02 03:04:05', '2026-01-02T03:04:05.000000Z'],
    ['2026-01-02T03:04', '2026-01-02T03:04:00.000000Z'],
    ['0099-01-02T03:04:05Z', '0099-01-02T03:04:05.000000Z'],
    ['9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z'],
  ])('reads the time %s as %s', (text, time) => {
    expect(taken({ action: 'a', occurred_at: text }).occurred_at).toBe(time);
  });

  it.each([
    'yesterday',
    '2026-02-30T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T23:59:60Z',
    '2026-01-02',
    '9999-12-31T23:59:59-01:00',
    '0001-01-01T00:00:00+01:00',
    '',
  ])('refuses the time %j', (occurred_at) => {
    expect(mistakes({ action: 'a', occurred_at })).toMatchObject([{ path: 'events.7.occurred_at' }]);
  });

  it('takes an id of any UUID version, in lower case', () => {
    const id = '0F8FAD5B-D9CB-469F-A165-70867728950E';
    expect(taken({ action: 'a', id })).toMatchObject({ id: id.toLowerCase(), own_id: true });
  });

  it.each([
    [{}, 'action', 'is required'],
    [{ action: 5 }, 'action', 'must be text'],
    [{ action: '' }, 'action', 'must not be empty'],
    [{ action: 'x'.repeat(257) }, 'action', 'at most 256'],
    [{ action: 'a\0' }, 'action', 'NUL'],
    [{ action: 'a', id: '1' }, 'id', 'must be a UUID'],
    [{ action: 'a', severity: 'hihg' }, 'severity', 'did you mean "High"?'],
    [{ action: 'a', severity: 3 }, 'severity', 'must be text'],
    [{ action: 'a', actor: 'ann' }, 'actor', 'must be a JSON object'],
    [{ action: 'a', actor: { id: 7 } }, 'actor.id', 'must be text'],
    [{ action: 'a', actor: { id: 'x'.repeat(513) } }, 'actor.id', 'at most 512'],
    [{ action: 'a', actor: { mail: 'x' } }, 'actor.mail', 'did you mean "email"?'],
    [{ action: 'a', actor: { meta: [1] } }, 'actor.meta', 'must be a JSON object'],
    [{ action: 'a', target: [] }, 'target', 'must be a JSON object'],
    [{ action: 'a', context: { ip: 5 } }, 'context.ip', 'must be text'],
    [{ action: 'a', metadata: 'x' }, 'metadata', 'must be a JSON object'],
    [{ action: 'a', metadata: { a: ['\ud83d'] } }, 'metadata.a.0', 'surrogate'],
    [{ action: 'a', diff: { befor: 1 } }, 'diff.befor', 'did you mean "before"?'],
    [{ action: 'a', sevrity: 'Info' }, 'sevrity', 'did you mean "severity"?'],
    [JSON.parse('{"action": "a", "__proto__": {"id": 1}}'), '__proto__', 'unknown member'],
    [JSON.parse('{"action": "a", "actor": {"constructor": 1}}'), 'actor.constructor', 'unknown member'],
    [{ action: 'a', hash: 'x' }, 'hash', 'unknown member'],
    [{ action: 'a', occurred_at: 1_700_000_000 }, 'occurred_at', 'must be a time'],
  ])('says what is wrong with %j', (value, path, message) => {
    expect(mistakes(value)).toEqual([{ path: `events.7.${path}`, message: expect.stringContaining(message) }]);
  });

  it('takes an empty list for an object without members, as PHP writes one', () => {
    const read = readNewEvent({ action: 'a', metadata: [], context: [], actor: { meta: [] } });
    expect(read).toMatchObject({
      event: { metadata: '{}', context: '{"ip":null,"user_agent":null}', actor_meta: '{}' },
    });
  });

  it.each([null, [], 'x', 1, undefined])('refuses %j in the place of an event', (value) => {
    expect(mistakes(value)).toEqual([{ path: 'events.7', message: 'must be a JSON object' }]);
  });

  it('names every mistake, and every unknown member', () => {
    const paths = mistakes({ severity: 'x', foo: 1, bar: 2, actor: { id: 1 } }).map((error) => error.path);
    expect(paths.sort()).toEqual(
      ['action', 'actor.id', 'bar', 'foo', 'severity'].map((member) => `events.7.${member}`),
    );
  });

  it('is committed to by six compartments as docs/verify.md has them, for any event', () => {
    const sha256 = (...parts: (string | Uint8Array)[]) =>
      parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
    const byte = (value: number) => Buffer.of(value);
    fc.assert(
      fc.property(arbitraryEvent, (value) => {
        const event = taken(value);
        const shown = parseJson(eventJson(event, link)) as Event;
        const { action, id, occurred_at, received_at, severity, actor, target, context, description, diff, metadata } =
          shown;
        const parts = [
          { action, id, occurred_at, received_at, severity, target_type: target?.type ?? null },
          { id: actor.id, type: actor.type },
          { email: actor.email, meta: actor.meta, name: actor.name },
          context,
          { id: target?.id ?? null, meta: target?.meta ?? null },
          { description, diff, metadata },
        ].map((part) => canonicalize(part)!);
        expect(compartmentTexts(event)).toEqual(parts);
        const seed = Buffer.from((shown.proof as { seed: string }).seed, 'base64url');
        const salts = Buffer.concat(
          [0, 1].map((half) => createHash('sha512').update(byte(half)).update(seed).digest()),
        );
        const commitments = parts.map((part, k) => sha256(byte(0x10 + k), salts.subarray(16 * k, 16 * k + 16), part));
        expect(event.digest).toEqual(sha256(byte(0x20), ...commitments));
        expect([shown.created_at, shown.hash, shown.previous_hash]).toEqual([
          event.received_at,
          link.hash,
          link.previousHash,
        ]);
      }),
      { numRuns: 300 },
    );
  });

  it('has a seed of its own, drawn anew however many there are', () => {
    const seeds = Array.from({ length: 2000 }, () => taken({ action: 'a' }).seed.toString('hex'));
    expect(new Set(seeds).size).toBe(2000);
    expect(seeds.every((seed) => seed.length === 32)).toBe(true);
  });
});
