import { z } from 'zod';
import { invalid } from '../../core/errors.ts';
import type { IdPage } from '../../core/id-page.ts';
import { unknownName } from '../../core/nearest-name.ts';

/** Entries of one page, when the client does not say, and at most. */
export const pageLimits = { default: 25, most: 100 };

export type Page = { limit: number; cursor: string | undefined };
export type Meta = { next_cursor: string | null; has_more: boolean };

type Query = Record<string, unknown>;

/**
 * Reads `limit` and `cursor` of a list.
 * @throws AppError validation_error for a limit that is not 1 … 100, or a parameter given twice
 */
export function readPage(query: Query): Page {
  const limit = one(query, 'limit');
  const cursor = one(query, 'cursor');
  if (limit !== undefined && !(/^\d{1,9}$/.test(limit) && +limit >= 1 && +limit <= pageLimits.most)) {
    throw invalid([{ path: 'limit', message: `must be a whole number from 1 to ${pageLimits.most}` }]);
  }
  if (cursor === '') throw spoiledCursor();
  return { limit: limit === undefined ? pageLimits.default : Number(limit), cursor };
}

function one(query: Query, name: string): string | undefined {
  const value = query[name];
  if (value === undefined || typeof value === 'string') return value;
  throw invalid([{ path: name, message: 'must be given once' }]);
}

/** The position after a page, as opaque text: clients hand it back and read nothing into it. */
export const encodeCursor = (position: object): string =>
  Buffer.from(JSON.stringify(position), 'utf8').toString('base64url');

/**
 * Reads what encodeCursor made. The schema is asked, because a client may have made the text up.
 * @throws AppError validation_error on `cursor`
 */
export function decodeCursor<S extends z.ZodType>(schema: S, cursor: string): z.output<S> {
  // Node skips characters that are not base64url; a cursor that holds any was spoiled on its way.
  if (cursor.length > 4096 || !/^[A-Za-z0-9_-]+$/.test(cursor)) throw spoiledCursor();
  let position: unknown;
  try {
    position = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw spoiledCursor();
  }
  const parsed = schema.safeParse(position);
  if (!parsed.success) throw spoiledCursor();
  return parsed.data;
}

const spoiledCursor = () =>
  invalid([
    { path: 'cursor', message: 'is not a cursor of this list; take meta.next_cursor as it is, or leave it out' },
  ]);

/** The cursor of lists that run by id alone, newest first. */
const idCursor = z.strictObject({ id: z.uuid() });

/**
 * Cuts the page out of up to `limit` + 1 rows: the one too many only says that there is more.
 * @param positionOf what the next page starts after, made from the last row of this one
 */
export function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  positionOf: (last: Row) => object,
): { data: Row[]; meta: Meta } {
  const data = rows.slice(0, limit);
  const has_more = rows.length > limit;
  return { data, meta: { next_cursor: has_more ? encodeCursor(positionOf(data.at(-1)!)) : null, has_more } };
}

/**
 * Refuses query parameters that the route does not know: a misspelt filter that is ignored gives the wrong rows.
 * @throws AppError validation_error that names each, with the nearest allowed name
 */
export function refuseUnknownQuery(query: Query, allowed: readonly string[]): void {
  const unknown = Object.keys(query).filter((name) => !allowed.includes(name));
  if (unknown.length === 0) return;
  throw invalid(
    unknown.map((path) => ({
      path,
      message: allowed.length > 0 ? unknownName('parameter', path, allowed) : 'this call takes no query parameters',
    })),
  );
}

/** `limit` and `cursor` of a list that runs by id, newest first. */
export function readIdPage(query: Query): IdPage {
  const { limit, cursor } = readPage(query);
  return { limit, afterId: cursor === undefined ? undefined : decodeCursor(idCursor, cursor).id };
}

/** Cuts the page out of the rows that were read for it. */
export const idPageOf = <Row extends { id: string }>(rows: readonly Row[], { limit }: IdPage) =>
  pageOf(rows, limit, ({ id }) => ({ id }));
