import type pg from 'pg';
import type { Database } from '../client.ts';
import { asTenant } from '../isolation/as-tenant.ts';
import { parameters } from '../sql/bind.ts';
import { filterConditions } from '../sql/filter.ts';
import { type ExportRows, scope } from './segments.ts';

/** How many rows an export will have. An estimate comes from a sample. */
export type RowCount = { rows: number; is: 'exact' | 'estimate' };

type CountedRows = Pick<ExportRows, 'tenantId' | 'asOfSequence' | 'expiredThrough' | 'content'>;

/** A sample is so many runs of so many events, spread evenly over the sequence numbers. */
const sample = { runs: 50, events: 200 };

/**
 * Counts the rows of an export for at most `limitMs`; after that a sample has to do. Without a filter, or with one on
 * sequence numbers alone, nothing is counted: numbers have no gaps.
 */
export async function countRows(database: Database, rows: CountedRows, limitMs: number): Promise<RowCount> {
  const span = sequenceSpan(rows);
  const { after_sequence: _after, through_sequence: _through, ...others } = rows.content.filter;
  if (Object.values(others).every((value) => value === undefined)) return { rows: span.count, is: 'exact' };
  const client = await database.scans.connect();
  let healthy = false;
  try {
    const counted = (await countWithin(client, rows, limitMs)) ?? (await estimate(client, rows, span));
    healthy = true;
    return counted;
  } finally {
    client.release(!healthy);
  }
}

/** The sequence numbers that may be in the export: so many after one. */
type SequenceSpan = { after: number; count: number };

function sequenceSpan({ asOfSequence, expiredThrough = 0, content }: CountedRows): SequenceSpan {
  const { after_sequence = 0, through_sequence: through = asOfSequence } = content.filter;
  const after = Math.max(after_sequence, expiredThrough);
  return { after, count: Math.max(0, Math.min(through, asOfSequence) - after) };
}

async function countWithin(client: pg.PoolClient, rows: CountedRows, limitMs: number): Promise<RowCount | undefined> {
  const { bind, values } = parameters();
  const conditions = [...scope(rows, bind), ...filterConditions(rows.content.filter, bind)];
  const statement = `select count(*) as count from events where ${conditions.join(' and ')}`;
  try {
    const limit = `statement_timeout = ${Math.max(1, Math.round(limitMs))}`;
    return { rows: await countWith(client, settings(rows, limit), { text: statement, values }), is: 'exact' };
  } catch (error) {
    if ((error as { code?: string }).code === '57014') return undefined; // query_canceled: the time is up
    throw error;
  }
}

/**
 * Looks at 10,000 events, wherever in the log, by their numbers. The planner's own estimate would cost nothing, but after
 * a bulk load it may be off by a million, and for JSON criteria it is a guess.
 */
async function estimate(client: pg.PoolClient, rows: CountedRows, span: SequenceSpan): Promise<RowCount> {
  const { bind, values } = parameters();
  const conditions = [...scope(rows, bind), ...filterConditions(rows.content.filter, bind)];
  const stride = Math.max(sample.events, Math.floor(span.count / sample.runs));
  const statement = `select count(*) as count from generate_series(0, ${sample.runs - 1}) as run, lateral (
    select from events where ${conditions.join(' and ')} and sequence_number > ${span.after} + run * ${stride}::bigint
      and sequence_number <= ${span.after} + run * ${stride}::bigint + ${sample.events}
  ) as matching`;
  const matches = await countWith(client, settings(rows, 'enable_seqscan = off'), { text: statement, values });
  const looked = Math.max(1, Math.min(span.count, sample.runs * sample.events));
  return { rows: Math.round((matches / looked) * span.count), is: 'estimate' };
}

const settings = ({ tenantId }: CountedRows, setting: string): string => `${asTenant(tenantId)}set local ${setting}`;

/** The count of a statement under settings of its own. */
async function countWith(client: pg.PoolClient, settings: string, statement: pg.QueryConfig): Promise<number> {
  await client.query('begin read only');
  try {
    await client.query(settings);
    const { rows } = await client.query<{ count: string }>(statement);
    return Number(rows[0]!.count);
  } finally {
    await client.query('rollback');
  }
}
