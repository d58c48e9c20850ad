import { parse } from 'csv-parse/sync';
import type { ExportView } from '../../prisma/exports/view.ts';
import type { Audit, Evidence } from './evidence.ts';
import { fetchFile } from './fetch-file.ts';
import type { Order } from './orders.ts';

/** Files that are read and compared at a time. */
const atATime = 2;

/** Every export has ended as it was asked to, and its file holds exactly its rows, in order, each once. */
export const auditFiles: Audit = async (evidence) => {
  const mistakes: string[] = [];
  const left = [...evidence.orders];
  const work = async () => {
    for (let order = left.shift(); order; order = left.shift()) {
      const told = await auditOrder(evidence, order).catch((error: Error) => error.message.split('\n')[0]);
      if (told) mistakes.push(`${order.idempotencyKey} (${order.id}): ${told}`);
    }
  };
  await Promise.all(Array.from({ length: atATime }, work));
  return mistakes;
};

async function auditOrder({ fleet }: Evidence, order: Order): Promise<string | undefined> {
  const reply = await fleet.client.until(order.tenant.key, `/v1/exports/${order.id}`);
  const view = reply.body as ExportView;
  const wanted = order.canceled === 'accepted' ? 'canceled' : 'completed';
  if (view.status !== wanted) return `is ${view.status}, not ${wanted}: ${JSON.stringify(view.error)}`;
  if (wanted === 'canceled') return view.download_url === null ? undefined : 'is canceled and has a link';
  if (view.complete !== true || view.error !== null) return `is not complete: ${JSON.stringify(view.error)}`;
  const found = rowsIn(await fetchFile(view), view.format);
  const expected = await expectedRows(fleet.pool, order, view.as_of_sequence);
  if (found.length !== view.rows) return `says that it has ${view.rows} rows and has ${found.length}`;
  return firstDifference(found, expected);
}

/** Number, id and hash of each row: the hash is over everything else. */
function rowsIn(text: string, format: string): string[] {
  if (format === 'csv') return parse(text, { columns: true }).map(describeRow);
  if (format === 'json') return JSON.parse(text).map(describeRow);
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => describeRow(JSON.parse(line)));
}

type Row = { sequence_number: string | number; id: string; hash: string };
const describeRow = (row: unknown): string => {
  const { sequence_number: number, id, hash } = row as Row;
  return `${number} ${id} ${hash}`;
};

const orderBy = {
  'by time': 'occurred_at, sequence_number',
  'latest first': 'sequence_number desc',
  'by target, backwards': 'target_id collate "C" desc nulls first, sequence_number desc',
};

/** What the table says, by a plain query. */
async function expectedRows(pool: Evidence['fleet']['pool'], order: Order, asOf: number): Promise<string[]> {
  const { after, through = asOf, action, order: by } = order.selection;
  const { rows } = await pool.query<Row>(
    `select sequence_number, id, encode(hash, 'hex') as hash from events
     where tenant_id = $1 and sequence_number > $2 and sequence_number <= $3 and ($4::text is null or action = $4)
     order by ${orderBy[by]}`,
    [order.tenant.id, after, Math.min(through, asOf), action ?? null],
  );
  return rows.map(describeRow);
}

function firstDifference(found: string[], expected: string[]): string | undefined {
  const at = expected.findIndex((row, index) => row !== found[index]);
  if (at < 0 && found.length === expected.length) return undefined;
  const missing = expected.filter((row) => !new Set(found).has(row)).length;
  return `has ${found.length} rows of ${expected.length}, ${missing} of them missing; row ${at + 1} is ${found[at]}, not ${expected[at]}`;
}
