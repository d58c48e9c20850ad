import { createHash } from 'node:crypto';
import { Router } from 'express';
import { z } from 'zod';
import { AppError, invalid, notFound } from '../../core/errors.ts';
import { parseEventPath } from '../../core/events/event-path.ts';
import { filterFromQuery, filterMembers, filterSchema } from '../../core/events/filter.ts';
import type { Sort } from '../../core/exports/exports.ts';
import { isUuid } from '../../core/ids.ts';
import { type Database, pgSql } from '../../prisma/client.ts';
import { findEvent, listEvents, newestFirst } from '../../prisma/events/list.ts';
import { tenantOf, tenantRoute } from '../access/tenant-route.ts';
import { parse } from '../http/body.ts';
import { decodeCursor, pageOf, readPage, refuseUnknownQuery } from '../http/paging.ts';

type Query = Record<string, unknown>;

/** Reading events: GET /events and GET /events/:id. Writing them is api/ingest/write-events.ts. */
export function eventRoutes({ database }: { database: Database }): Router {
  const sql = pgSql(database.pool);
  const router = Router();

  router.get('/events', tenantRoute('events:read'), async (request, response) => {
    const { filter, sort, limit, cursor } = readListQuery(request.query);
    const fingerprint = fingerprintOf(filter, sort);
    const after = cursor === undefined ? undefined : readCursor(cursor, fingerprint);
    const rows = await listEvents(sql, tenantOf(response).id, { filter, sort, limit: limit + 1, after });
    if (!rows) throw unknownCursor();
    const { data, meta } = pageOf(rows, limit, (last) => ({ after: last.sequenceNumber, query: fingerprint }));
    response
      .type('json')
      .send(`{"data":[${data.map((event) => event.json).join(',')}],"meta":${JSON.stringify(meta)}}`);
  });

  router.get('/events/:id', tenantRoute('events:read'), async (request, response) => {
    refuseUnknownQuery(request.query, []);
    const id = String(request.params.id);
    const event = isUuid(id) ? await findEvent(sql, tenantOf(response).id, id) : undefined;
    if (!event) throw notFound('event');
    response.type('json').send(`{"data":${event.json}}`);
  });

  return router;
}

function readListQuery(query: Query) {
  refuseUnknownQuery(query, [...filterMembers, 'sort', 'limit', 'per_page', 'cursor']);
  const { sort, limit, per_page, cursor, ...filter } = query;
  if (limit !== undefined && per_page !== undefined) {
    throw invalid([{ path: 'per_page', message: 'is another name of "limit"; give one of the two' }]);
  }
  // A mistake in `per_page` is told of under the name that the client used.
  const page = per_page === undefined ? readPage({ limit, cursor }) : readPerPage({ limit: per_page, cursor });
  return { ...page, filter: parse(filterSchema, filterFromQuery(filter)), sort: readSort(sort) };
}

function readPerPage(query: Query): ReturnType<typeof readPage> {
  try {
    return readPage(query);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw invalid(error.errors.map((each) => (each.path === 'limit' ? { ...each, path: 'per_page' } : each)));
  }
}

/** `field` is ascending, `-field` descending. */
function readSort(value: unknown): Sort {
  if (value === undefined) return newestFirst;
  if (typeof value !== 'string') throw invalid([{ path: 'sort', message: 'must be given once' }]);
  const field = value.replace(/^-/, '');
  const path = parseEventPath(field);
  if ('error' in path) throw invalid([{ path: 'sort', message: path.error }]);
  return [{ field, direction: value.startsWith('-') ? 'desc' : 'asc' }];
}

/** Tells lists apart, so that a cursor of one is not taken for a place in another. */
const fingerprintOf = (filter: object, sort: Sort): string =>
  createHash('sha256')
    .update(JSON.stringify([filter, sort]))
    .digest('base64url')
    .slice(0, 11);

const cursorSchema = z.strictObject({ after: z.int().min(1), query: z.string() });

function readCursor(cursor: string, fingerprint: string): number {
  const { after, query } = decodeCursor(cursorSchema, cursor);
  if (query === fingerprint) return after;
  const message = 'belongs to a list with another filter or sort; send those of the page before, or leave it out';
  throw invalid([{ path: 'cursor', message }]);
}

const unknownCursor = () => invalid([{ path: 'cursor', message: 'is not a cursor of this list; leave it out' }]);
