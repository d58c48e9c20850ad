import type { ExportContent } from '../../core/exports/exports.ts';
import type { Timestamp } from '../../core/times.ts';
import type { Scans } from '../copy/copy-options.ts';
import type { RowPrinter } from '../copy/row-printer.ts';
import { asTenant } from '../isolation/as-tenant.ts';
import { type Bind, literals } from '../sql/bind.ts';
import { timeText } from '../sql/event-json.ts';
import { filterConditions } from '../sql/filter.ts';
import { type KeyRangeOrder, keyRangeOrder, orderBy, sortKeys } from '../sql/sort.ts';
import { rowsSql } from './rows-sql.ts';

/** The rows of one export: whose, which, in what order and form. Never changes, so that every attempt reads the same. */
export type ExportRows = {
  tenantId: string;
  asOfSequence: number;
  /** What was no part of the log any more when the export was made; nothing if it is left out. */
  expiredThrough?: number;
  content: ExportContent;
  segmentRows: number;
};

/** A place in the order: after this event. Times are text, so that no microsecond is lost. */
export type Key = { occurred_at: Timestamp | null; sequence_number: number };

/** The rows after one key up to another; null is the beginning or the end. */
export type Segment = { after: Key | null; through: Key | null };

/** A segment of at most so many events, before the filter. */
export type PlannedSegment = Segment & { events: number };

/** Where the first segment begins, and how many events the next one is to have, asked for each. */
export type SegmentPlan = { after: Key | null; nextRows(): number };

/**
 * An incremental export of so few events is one segment, read by their numbers and sorted: walking the tenant's time
 * index for them would read everything else as well.
 */
const fewEvents = 100_000;

/** How the rows are walked, or undefined if they come as one sorted stream. */
function walkOrder(rows: ExportRows): KeyRangeOrder | undefined {
  // Where the first row of a window stands is only known by counting from the beginning.
  if (rows.content.window) return undefined;
  const order = keyRangeOrder(rows.content.sort);
  return order?.by === 'occurred_at' && isOfFewEvents(rows) ? undefined : order;
}

function isOfFewEvents({ content, asOfSequence }: ExportRows): boolean {
  const { after_sequence: after } = content.filter;
  return after !== undefined && lastSequence(content, asOfSequence) - after <= fewEvents;
}

/**
 * Cuts the rows into segments of so many events, before the filter, that each is a bounded piece of work however few of
 * them match. Boundaries depend on the committed events and the plan alone.
 */
export async function* planSegments(scans: Scans, rows: ExportRows, plan: SegmentPlan): AsyncGenerator<PlannedSegment> {
  const order = walkOrder(rows);
  if (!order) {
    yield { after: null, through: null, events: rows.asOfSequence };
  } else if (order.by === 'sequence_number') {
    yield* numberRanges(rows, order, plan);
  } else {
    let start = plan.after;
    do {
      const events = plan.nextRows();
      const through = await boundary(scans, rows, order, { start, events });
      yield { after: start, through, events };
      start = through;
    } while (start);
  }
}

function* numberRanges(
  { content, asOfSequence, expiredThrough = 0 }: ExportRows,
  order: KeyRangeOrder,
  { after, nextRows }: SegmentPlan,
) {
  const first = Math.max(content.filter.after_sequence ?? 0, expiredThrough) + 1;
  const last = lastSequence(content, asOfSequence);
  const sign = order.direction === 'asc' ? 1 : -1;
  const key = (number: number): Key => ({ occurred_at: null, sequence_number: number });
  let at = after?.sequence_number ?? (sign > 0 ? first - 1 : last + 1);
  const isLast = (number: number) => (sign > 0 ? number >= last : number <= first);
  do {
    const events = nextRows();
    const through = at + sign * events;
    yield { after: key(at), through: isLast(through) ? null : key(through), events } satisfies PlannedSegment;
    at = through;
  } while (!isLast(at));
}

const lastSequence = (content: ExportContent, asOfSequence: number): number =>
  Math.min(asOfSequence, content.filter.through_sequence ?? asOfSequence);

/** The key of the last row of the segment that begins after `start`; null if it is the last segment. */
async function boundary(
  scans: Scans,
  rows: ExportRows,
  order: KeyRangeOrder,
  { start, events }: { start: Key | null; events: number },
): Promise<Key | null> {
  const { from, to } = rows.content.filter;
  const conditions = [
    ...scope(rows, literals),
    ...rangeConditions({ after: start, through: null }, order, literals),
    ...filterConditions({ from, to }, literals),
  ];
  // Without statistics, as after a first load, the planner would sort all that is left at every boundary.
  const results = await scans.query<{ time: Timestamp; sequence_number: string }>(
    `${asTenant(rows.tenantId)}${asIndexRange}select ${timeText('occurred_at')} as time, sequence_number from events
     where ${conditions.join(' and ')} order by ${orderBy(sortKeys(rows.content.sort))}
     offset ${events - 1} limit 1`,
  );
  const found = [results].flat().at(-1)!.rows;
  const last = found[0];
  return last ? { occurred_at: last.time, sequence_number: Number(last.sequence_number) } : null;
}

/**
 * A segment is a range of an index, and the planner must read it as one. It takes a row comparison for a third of the
 * table, and would rather scan all of it.
 */
const asIndexRange = 'set local enable_seqscan = off; set local enable_bitmapscan = off; set local enable_sort = off; ';

/** Few events are read by their numbers, and by nothing else: without statistics the planner would scan the table. */
const asNumberRange = 'set local enable_seqscan = off; set local enable_bitmapscan = off; ';

/**
 * The COPY that gives one segment, row by row, and what makes lines of the file from it. It is sent as a simple query: what
 * is set before it holds for its implicit transaction alone.
 */
export function readSegment(rows: ExportRows, segment: Segment): { statement: string; printer: RowPrinter } {
  const { select, copyOptions, printer } = rowsSql(rows.content);
  const order = walkOrder(rows);
  const conditions = [
    ...scope(rows, literals),
    ...(order ? rangeConditions(segment, order, literals) : []),
    ...filterConditions(rows.content.filter, literals),
  ];
  const ordered = orderBy(sortKeys(rows.content.sort));
  const settings = order ? asIndexRange : isOfFewEvents(rows) ? asNumberRange : '';
  const statement = `${asTenant(rows.tenantId)}${settings}copy (select ${select} from events where ${conditions.join(' and ')} order by ${ordered}${windowOf(rows.content)}) to stdout with (${copyOptions})`;
  return { statement, printer };
}

const windowOf = ({ window }: ExportContent): string =>
  window ? ` offset ${window.offset}${window.count === undefined ? '' : ` limit ${window.count}`}` : '';

/** Whether an export of this content goes on after a crash where it was, or starts again. */
export const isResumable = (content: ExportContent): boolean => keyRangeOrder(content.sort) !== undefined;

/** Whose rows, and of which events: the bounds of the export. */
export const scope = (
  { tenantId, asOfSequence, expiredThrough = 0 }: Pick<ExportRows, 'tenantId' | 'asOfSequence' | 'expiredThrough'>,
  bind: Bind,
): string[] => [
  `tenant_id = ${bind(tenantId, 'uuid')}`,
  `sequence_number <= ${bind(String(asOfSequence), 'bigint')}`,
  ...(expiredThrough > 0 ? [`sequence_number > ${bind(String(expiredThrough), 'bigint')}`] : []),
];

/** A row comparison is one range of the index; the same written with OR would be read as a filter. */
function rangeConditions({ after, through }: Segment, order: KeyRangeOrder, bind: Bind): string[] {
  const columns = order.by === 'occurred_at' ? '(occurred_at, sequence_number)' : 'sequence_number';
  const value = ({ occurred_at, sequence_number }: Key) =>
    order.by === 'occurred_at'
      ? `(${bind(occurred_at!, 'timestamptz')}, ${bind(String(sequence_number), 'bigint')})`
      : bind(String(sequence_number), 'bigint');
  const [beyond, upTo] = order.direction === 'asc' ? ['>', '<='] : ['<', '>='];
  return [
    ...(after ? [`${columns} ${beyond} ${value(after)}`] : []),
    ...(through ? [`${columns} ${upTo} ${value(through)}`] : []),
  ];
}
