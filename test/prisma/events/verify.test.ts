import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalEvent } from '../../../core/events/event-text.ts';
import { pgSql } from '../../../prisma/client.ts';
import { verifyChain } from '../../../prisma/events/verify.ts';
import { canonicalEventSql } from '../../../prisma/sql/event-json.ts';
import { arbitraryEvent } from '../../core/events/arbitrary-event.ts';
import { type EventDatabase, newEvent, openEventDatabase } from '../event-database.ts';

let events: EventDatabase;
beforeAll(async () => {
  events = await openEventDatabase();
});
afterAll(() => events.close());

/** A tenant with events of the actions 1 … `count`, and their ids (`ids[1]` is that of the first). */
async function filledTenant(count: number) {
  const tenant = await events.newTenant();
  const given = Array.from({ length: count }, (_, i) =>
    newEvent({ action: String(i + 1), context: { ip: '10.0.0.1' } }),
  );
  const stored = await events.append(tenant, given);
  return { tenant, ids: ['', ...stored.map((each) => each.id)] };
}

describe('verifyChain', () => {
  it('finds an empty log valid', async () => {
    expect(await verifyChain(events.sql, await events.newTenant())).toEqual({
      status: 'valid',
      events_checked: 0,
      first_event_id: null,
      last_event_id: null,
      broken_at_event_id: null,
    });
  });

  it.each([1, 3, 10, 11, 20_000])('finds an untouched log valid, in ranges of %i', async (length) => {
    const { tenant, ids } = await filledTenant(10);
    expect(await verifyChain(events.sql, tenant, { length })).toEqual({
      status: 'valid',
      events_checked: 10,
      first_event_id: ids[1],
      last_event_id: ids[10],
      broken_at_event_id: null,
    });
  });

  /** What somebody with the database in his hands may do to a log of 10 events, and where it must be found. */
  const tamperings: [name: string, brokenAt: number, sql: string][] = [
    ['a changed action', 4, `update events set action = 'x' where action = '4'`],
    ['a changed time', 4, `update events set occurred_at = occurred_at + interval '1 microsecond' where action = '4'`],
    ['a changed severity', 4, `update events set severity = 'High' where action = '4'`],
    ['a changed time of receipt', 4, `update events set received_at = now() where action = '4'`],
    ['a description added', 4, `update events set description = '' where action = '4'`],
    ['an actor added', 4, `update events set actor_name = 'Eve' where action = '4'`],
    ['a target added', 4, `update events set target_meta = '{}' where action = '4'`],
    ['metadata added', 4, `update events set metadata = '{"a":1}' where action = '4'`],
    ['white space in JSON', 4, `update events set metadata = '{ }' where action = '4'`],
    ['a changed address beside the context', 4, `update events set context_ip = '10.9.9.9' where action = '4'`],
    ['a changed user agent beside the context', 4, `update events set context_user_agent = 'x' where action = '4'`],
    [
      'a changed address in the context alone',
      4,
      `update events set context = '{"ip":"1","user_agent":null}' where action = '4'`,
    ],
    ['a changed id', 4, `update events set id = gen_random_uuid() where action = '4'`],
    ['a changed hash', 4, `update events set hash = sha256('x') where action = '4'`],
    ['a changed previous hash', 4, `update events set previous_hash = sha256('x') where action = '4'`],
    ['a removed event', 5, `delete from events where action = '4'`],
    ['a removed first event', 2, `delete from events where action = '1'`],
    ['a removed last event', 9, `delete from events where action = '10'`],
    ['three removed last events', 7, `delete from events where action in ('8', '9', '10')`],
    ['a removed range', 9, `delete from events where action in ('3', '4', '5', '6', '7', '8')`],
    [
      'two events with their numbers swapped',
      4,
      `update events set sequence_number = -sequence_number where action in ('4', '6');
      update events set sequence_number = 10 + sequence_number where sequence_number in (-4, -6)`,
    ],
    [
      'a removed event with the later ones moved up',
      4,
      `delete from events where action = '4';
      update events set sequence_number = -sequence_number where sequence_number > 4;
      update events set sequence_number = -sequence_number - 1 where sequence_number < 0`,
    ],
    [
      'a changed event with its hash made anew',
      5,
      `update events set action = 'x', hash = event_hash(previous_hash, sequence_number, sha256('x')) where action = '4';
      update events set hash = event_hash(previous_hash, sequence_number, sha256(convert_to(${canonicalEventSql}, 'UTF8'))) where action = 'x'`,
    ],
    [
      'a head set back',
      9,
      'update chain_heads set sequence_number = 8, hash = (select hash from events where sequence_number = 8)',
    ],
    ['a head of another hash', 10, `update chain_heads set hash = sha256('x')`],
    [
      'an event before the first',
      0,
      `insert into events select tenant_id, 0, gen_random_uuid(), occurred_at, received_at, severity,
      action, actor_id, actor_type, actor_name, actor_email, actor_meta, target_type, target_id, target_meta, context_ip,
      context_user_agent, context, description, diff, metadata, previous_hash, hash from events where action = '4'`,
    ],
  ];

  it.each(tamperings)('finds %s', async (_name, brokenAt, change) => {
    const { tenant } = await filledTenant(10);
    const client = await events.database.pool.connect();
    await client.query('begin');
    // The changes name no tenant: for the transaction, this one is all they see.
    for (const table of ['events', 'chain_heads'])
      await client.query(
        `create temporary view ${table} as select * from public.${table} where tenant_id = '${tenant}'`,
      );
    await client.query(change);
    await client.query('drop view pg_temp.events; drop view pg_temp.chain_heads');
    const { rows } = await client.query('select id from events where tenant_id = $1 and sequence_number = $2', [
      tenant,
      brokenAt,
    ]);
    for (const length of [1, 4, 100])
      expect(await verifyChain(pgSql(client), tenant, { length })).toMatchObject({
        status: 'broken',
        broken_at_event_id: rows[0].id,
      });
    await client.query('rollback');
    client.release();
    expect(await verifyChain(events.sql, tenant)).toMatchObject({ status: 'valid' });
  });

  it('finds a log of which nothing is left', async () => {
    const { tenant } = await filledTenant(2);
    await events.sql('delete from events where tenant_id = $1', [tenant]);
    expect(await verifyChain(events.sql, tenant)).toMatchObject({
      status: 'broken',
      events_checked: 0,
      broken_at_event_id: null,
    });
  });

  it('stops between two ranges when nobody waits for the answer', async () => {
    const { tenant } = await filledTenant(2);
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(verifyChain(events.sql, tenant, { signal })).rejects.toThrow('gone');
  });
});

describe('canonicalEventSql', () => {
  it('builds in PostgreSQL the very text that core/events/event-text.ts builds, for any event', async () => {
    const tenant = await events.newTenant();
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryEvent, { minLength: 1, maxLength: 40 }), async (values) => {
        const given = values.map((value) => newEvent(value));
        await events.append(tenant, given);
        const rows = await events.sql<{ id: string; text: string }>(
          `select id, ${canonicalEventSql} as text from events where tenant_id = $1 and id = any($2::uuid[])`,
          [tenant, given.map((event) => event.id)],
        );
        const texts = new Map(rows.map((row) => [row.id, row.text]));
        for (const event of given) expect(texts.get(event.id)).toBe(canonicalEvent(event));
      }),
      { numRuns: 25 },
    );
    expect(await verifyChain(events.sql, tenant)).toMatchObject({ status: 'valid' });
  });

  it('escapes every character as JSON.stringify does', async () => {
    const characters = Array.from({ length: 0x10ffff }, (_, i) => i + 1).filter((c) => c < 0xd800 || c > 0xdfff);
    const text =
      String.fromCodePoint(...characters.slice(0, 3000)) + String.fromCodePoint(0x2028, 0x2029, 0xfeff, 0x1f600);
    let whole = text;
    for (let i = 3000; i < characters.length; i += 10_000)
      whole += String.fromCodePoint(...characters.slice(i, i + 10_000));
    const [row] = await events.sql<{ json: string }>('select to_json($1::text)::text as json', [whole]);
    const digest = (json: string) => createHash('sha256').update(json).digest('hex');
    expect(digest(row!.json)).toBe(digest(JSON.stringify(whole)));
  });
});
