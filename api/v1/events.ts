import { createHash } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { z } from 'zod';
import { AppError, invalid, notFound } from '../../core/errors.ts';
import { parseSortPath } from '../../core/events/event-path.ts';
import { filterFromQuery, filterSchema } from '../../core/events/filter.ts';
import type { Sort } from '../../core/exports/exports.ts';
import { isUuid } from '../../core/ids.ts';
import { mostPageBytes } from '../../core/limits/pages.ts';
import type { Database } from '../../prisma/client.ts';
import { findEvent, listEvents, newestFirst } from '../../prisma/events/list.ts';
import type { Reading } from '../../prisma/events/reading.ts';
import { spanOf } from '../../prisma/exports/find.ts';
import { tenantSql } from '../../prisma/isolation/as-role.ts';
import { tenantOf } from '../access/tenant-route.ts';
import { parse } from '../http/body.ts';
import { holdingOf } from '../http/held-memory.ts';
import { jsonList } from '../http/json-list.ts';
import { decodeCursor, pageOf, readPage } from '../http/paging.ts';
import { throwIfGone } from '../http/requests-under-way.ts';
import { reply } from '../openapi/described.ts';
import { eventExample, pageExample } from '../openapi/examples.ts';
import { filterParameters, idOf, paging, perPage, sort } from '../openapi/parameters.ts';
import type { Route } from '../route.ts';

type Deps = { database: Database; reading: Reading };

/** What lists of events take. */
export const listParameters = [...filterParameters(), sort, ...paging, perPage];

type Query = Record<string, unknown>;

/** Reading events. Writing them is api/ingest/write-events.ts. */
export const eventRoutes: readonly Route<Deps>[] = [
  {
    id: 'listEvents',
    method: 'get',
    path: '/v1/events',
    summary: 'List events',
    description: 'Newest first, unless `sort` says otherwise. All filters that are given must hold.',
    by: 'events:read',
    parameters: listParameters,
    replies: { 200: reply('One page', { schema: 'EventPage', example: pageExample(eventExample) }) },
    errors: ['conflict'],
    handle: getEvents,
  },
  {
    id: 'getEvent',
    method: 'get',
    path: '/v1/events/:id',
    summary: 'Read one event',
    by: 'events:read',
    parameters: [idOf('event')],
    replies: { 200: reply('The event', { schema: 'OneEvent', example: { data: eventExample } }) },
    handle: getOne,
  },
];

function getEvents(deps: Deps): RequestHandler {
  const list = listOf(deps);
  return (request, response) => list(tenantOf(response).id, request, response);
}

/** Answers with a page of the log of this tenant. */
export function listOf({ database, reading }: Deps) {
  return async (tenantId: string, request: Request, response: Response): Promise<void> => {
    const { filter, sort, limit, cursor } = readListQuery(request.query);
    const fingerprint = fingerprintOf(filter, sort);
    const after = cursor === undefined ? undefined : readCursor(cursor, fingerprint);
    if (filter.after_sequence !== undefined) await spanOf(database.prisma, tenantId, filter);
    const query = { filter, sort, limit: limit + 1, after };
    await holdingOf(request, response).take('pages', mostPageBytes(query.limit));
    const rows = await reading(tenantId, filter, (sql) => {
      throwIfGone(response);
      return listEvents(sql, tenantId, query);
    });
    if (!rows) throw unknownCursor();
    // Large events make a page shorter than was asked for.
    const fitting = rows.filter(({ json }) => json !== null).length;
    const { data, meta } = pageOf(rows, Math.min(limit, fitting), (last) => ({
      after: last.sequenceNumber,
      query: fingerprint,
    }));
    const behind = `],"meta":${JSON.stringify(meta)}}`;
    const page = jsonList(
      data.map((event) => event.json!),
      { before: '{"data":[', behind },
    );
    response.type('json').send(page);
  };
}

function getOne({ database }: Deps): RequestHandler {
  return async (request, response) => {
    const id = String(request.params.id);
    await holdingOf(request, response).take('pages', mostPageBytes(1));
    const { id: tenantId } = tenantOf(response);
    const event = isUuid(id) ? await findEvent(tenantSql(database.pool, tenantId), tenantId, id) : undefined;
    if (!event) throw notFound('event');
    response.type('json').send(`{"data":${event.json}}`);
  };
}

function readListQuery(query: Query) {
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
  const path = parseSortPath(field);
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
