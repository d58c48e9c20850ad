import type pg from 'pg';
import { asTenant } from '../isolation/as-tenant.ts';
import type { ExportRows } from '../rows/segments.ts';
import { scope } from '../rows/segments.ts';
import { parameters } from '../sql/bind.ts';
import { filterConditions } from '../sql/filter.ts';

/**
 * Least and greatest sequence number in the file of an export, null where it is empty, and how many of its events are such of
 * which something was erased.
 */
export type FileSpan = { first: number | null; last: number | null; erased: number };

export const emptySpan: FileSpan = { first: null, last: null, erased: 0 };

type Rows = Pick<ExportRows, 'tenantId' | 'asOfSequence' | 'expiredThrough' | 'content'>;

/**
 * Finds the two numbers by the primary key, from either end of the log: in no time where the filter takes much, and where it
 * takes little with what the export itself took to read. Erased events have an index of their own, which is empty where there
 * are none. Nothing of it has to be carried through the parts of a run.
 *
 * The rows of an export that has not ended are held by retention (prisma/removal/expired-rows.ts); where they have waited too
 * long the export fails there first, and what is found here is completed by nobody.
 * @param signal ends it
 */
export async function fileSpan(scans: pg.Pool, rows: Rows, signal: AbortSignal): Promise<FileSpan> {
  signal.throwIfAborted();
  const client = await scans.connect();
  let isWhole = false;
  let end = () => {};
  try {
    const ended = new Promise<never>((_resolve, reject) => {
      end = () => reject(signal.reason);
      signal.addEventListener('abort', end, { once: true });
    });
    const found = await Promise.race([find(client, rows), ended]);
    isWhole = true;
    return found;
  } finally {
    signal.removeEventListener('abort', end);
    // A statement that nobody waits for ends with its connection.
    client.release(!isWhole);
  }
}

async function find(client: pg.PoolClient, rows: Rows): Promise<FileSpan> {
  await client.query(`begin read only; ${asTenant(rows.tenantId)}`);
  const { rows: found } = await client.query<Record<keyof FileSpan, string | null>>(spanQuery(rows));
  await client.query('commit');
  const { first, last, erased } = found[0]!;
  return {
    first: first === null ? null : Number(first),
    last: last === null ? null : Number(last),
    erased: Number(erased),
  };
}

/** What fileSpan() asks. */
export function spanQuery(rows: Rows): { text: string; values: unknown[] } {
  const { bind, values } = parameters();
  const conditions = [...scope(rows, bind), ...filterConditions(rows.content.filter, bind)].join(' and ');
  const end = (direction: 'asc' | 'desc') =>
    `(select sequence_number from events where ${conditions} order by sequence_number ${direction} limit 1)`;
  const erased = `(select count(*) from events where ${conditions} and erased is not null)`;
  return { text: `select ${end('asc')} as first, ${end('desc')} as last, ${erased} as erased`, values };
}
