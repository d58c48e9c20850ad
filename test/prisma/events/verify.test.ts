import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compartmentTexts } from '../../../core/events/event-text.ts';
import { compartments } from '../../../core/evidence/compartments.ts';
import { pgSql } from '../../../prisma/client.ts';
import { verifyChain } from '../../../prisma/events/verify.ts';
import { digestSql, saltsSql } from '../../../prisma/sql/digest.ts';
import { compartmentSql } from '../../../prisma/sql/event-json.ts';
import { arbitraryEvent } from '../../core/events/arbitrary-event.ts';
import { erasable, eraseCompartments } from '../erase-compartments.ts';
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
      head: { sequence_number: 0, hash: '0'.repeat(64) },
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
      head: { sequence_number: 10, hash: (await events.head(tenant)).hash },
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
      update events set hash = event_hash(previous_hash, sequence_number, digest)
      from (select id as made, ${digestSql} as digest from (select *, ${saltsSql} as salts from events) as salted) as all_made
      where id = made and action = 'x'`,
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
      context_user_agent, context, description, diff, metadata, previous_hash, hash, seed from events where action = '4'`,
    ],
    ['another seed', 4, `update events set seed = decode(repeat('00', 16), 'hex') where action = '4'`],
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

  it('finds a range valid by itself, and a break only where the range holds it', async () => {
    const { tenant, ids } = await filledTenant(10);
    await events.sql(`update events set action = 'x' where tenant_id = $1 and action = '4'`, [tenant]);
    const check = (after?: number, through?: number) =>
      verifyChain(events.sql, tenant, { after, through, length: 2 }).then((verdict) => [
        verdict.status,
        verdict.events_checked,
        verdict.first_event_id && ids.indexOf(verdict.first_event_id),
        verdict.broken_at_event_id && ids.indexOf(verdict.broken_at_event_id),
      ]);
    expect(await check(0, 3)).toEqual(['valid', 3, 1, null]);
    expect(await check(4)).toEqual(['valid', 6, 5, null]);
    expect(await check(4, 8)).toEqual(['valid', 4, 5, null]);
    expect(await check(2, 8)).toEqual(['broken', 2, 3, 4]);
    expect(await check(10)).toEqual(['valid', 0, null, null]);
    expect(await check(9, 99)).toEqual(['valid', 1, 10, null]);
    await events.sql(`delete from events where tenant_id = $1 and action in ('7', '10')`, [tenant]);
    expect(await check(4, 6)).toEqual(['valid', 2, 5, null]);
    expect(await check(7)).toEqual(['broken', 1, 8, 8]);
    expect(await check(8, 9)).toEqual(['valid', 1, 9, null]);
    expect(await check(8)).toEqual(['broken', 1, 9, 9]);
  });

  it('begins at the first event that retention has left, and finds the one removed beyond that', async () => {
    const { tenant, ids } = await filledTenant(10);
    const expire = async (through: number) => {
      await events.sql(
        `with removed as (delete from events where tenant_id = $1 and sequence_number <= $2 returning sequence_number, hash)
         update chain_heads set expired_through = $2, expired_hash = removed.hash from removed
         where tenant_id = $1 and removed.sequence_number = $2`,
        [tenant, through],
      );
    };
    await expire(4);
    const verdict = { status: 'valid', events_checked: 6, first_event_id: ids[5], last_event_id: ids[10] };
    expect(await verifyChain(events.sql, tenant)).toMatchObject(verdict);
    expect(await verifyChain(events.sql, tenant, { after: 2 })).toMatchObject(verdict);
    expect(await verifyChain(events.sql, tenant, { through: 3 })).toMatchObject({ status: 'valid', events_checked: 0 });
    await events.sql(`delete from events where tenant_id = $1 and action = '5'`, [tenant]);
    expect(await verifyChain(events.sql, tenant)).toMatchObject({ status: 'broken', broken_at_event_id: ids[6] });
  });

  it('finds erased events valid, one compartment after the other, and what was put into an erased one', async () => {
    const tenant = await events.newTenant();
    const given = fc.sample(arbitraryEvent, { numRuns: 60, seed: 4 }).map((value) => newEvent(value));
    await events.append(tenant, given);
    for (const [index, event] of given.entries()) {
      const erasing = [erasable[index % 5]!, erasable[Math.floor(index / 5) % 5]!];
      await eraseCompartments(events.sql, event, { tenant, erasing });
    }
    expect(await verifyChain(events.sql, tenant)).toMatchObject({ status: 'valid', events_checked: 60 });
    const [at] = await events.sql<{ id: string }>(
      `update events set actor_email = 'put@example.com' where tenant_id = $1 and sequence_number =
         (select min(sequence_number) from events where tenant_id = $1 and erased -> 'erased' -> 'person' is not null) returning id`,
      [tenant],
    );
    expect(await verifyChain(events.sql, tenant)).toMatchObject({ status: 'broken', broken_at_event_id: at!.id });
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

describe('compartmentSql', () => {
  it('builds in PostgreSQL the very texts that core/events/event-text.ts builds, for any event', async () => {
    const tenant = await events.newTenant();
    const texts = compartmentSql.map((sql, index) => `${sql} as text${index}`).join(', ');
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryEvent, { minLength: 1, maxLength: 40 }), async (values) => {
        const given = values.map((value) => newEvent(value));
        await events.append(tenant, given);
        const rows = await events.sql<{ id: string } & Record<string, string>>(
          `select id, ${texts} from events where tenant_id = $1 and id = any($2::uuid[])`,
          [tenant, given.map((event) => event.id)],
        );
        const byId = new Map(rows.map((row) => [row.id, compartments.map((_, index) => row[`text${index}`])]));
        for (const event of given) expect(byId.get(event.id)).toEqual(compartmentTexts(event));
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
