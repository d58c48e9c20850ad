import type { RequestHandler, Response } from 'express';
import type { Event } from '../../core/events/events.ts';
import { type AuditQuery, readAuditQuery } from '../../core/frontegg/audit-query.ts';
import { auditView } from '../../core/frontegg/audit-view.ts';
import { parseJson } from '../../core/json/json.ts';
import { pieceBytes, printedEventBytes } from '../../core/limits/pages.ts';
import type { Sql } from '../../prisma/client.ts';
import {
  countAcross,
  type EventPlace,
  eventsAt,
  placesAcross,
  type TenantEvent,
} from '../../prisma/events/list-across-tenants.ts';
import { holdingOf } from '../http/held-memory.ts';
import { throwIfGone } from '../http/requests-under-way.ts';
import { sendPieces } from '../http/send-pieces.ts';
import { reply } from '../openapi/described.ts';
import { auditExample } from '../openapi/examples.ts';
import type { Route } from '../route.ts';
import type { AuditDeps } from './audit-deps.ts';
import { anyName, auditFilters, fronteggCall } from './described.ts';
import { readableTenants, tenantNameOf } from './readable-tenants.ts';

/** Audits that one page of a list has when the client does not say, and at most; the older list has always given more. */
const pageLimits = { default: 200, v2: 200, v1: 1_000 };

/** The two lists: that of the portal, and the older one. */
export const listAuditRoutes: readonly Route<AuditDeps>[] = [
  list({ id: 'listAuditsV1', path: '/audits', summary: 'List audits (the older list)', most: pageLimits.v1 }),
  list({ id: 'listAudits', path: '/audits/resources/audits/v2', summary: 'List audits', most: pageLimits.v2 }),
];

function list({ most, ...described }: { id: string; path: string; summary: string; most: number }): Route<AuditDeps> {
  return {
    ...described,
    method: 'get',
    description: `Newest first. A management key that names no tenant reads all of them. ${anyName}`,
    by: 'events:read',
    parameters: auditFilters,
    replies: { 200: reply('One page', { schema: 'AuditPage', example: { data: [auditExample], total: 1 } }) },
    ...fronteggCall,
    handle: (deps) => getAudits(deps, most),
  };
}

/**
 * Its clients take a short page for the last one, so that a page is never cut, however large its events are: it is sent row by
 * row, and only a piece of it is in memory. No connection to the database waits for the client.
 */
function getAudits({ database, config, secretKey, reading }: AuditDeps, mostCount: number): RequestHandler {
  return async (request, response) => {
    const query = readAuditQuery(request.query, mostCount);
    const region = config.LOGFERRY_REGION;
    const asked = { prisma: database.prisma, region, asked: query.tenants };
    const tenants = await readableTenants(request, response, asked);
    const names = new Map(tenants.map((tenant) => [tenant.id, tenantNameOf(tenant)]));
    await holdingOf(request, response).take('pages', pieceBytes + printedEventBytes);
    const page = await openPage([...names.keys()], query, response);
    const viewOf = ({ tenantId, json }: TenantEvent) =>
      auditView(parseJson(json) as Event, { tenantId: names.get(tenantId)!, vendorId: secretKey.environmentId });
    if (page.isWhole) return void response.json({ data: page.first.map(viewOf), total: page.total });
    response.type('json');
    if (request.method === 'HEAD') return void response.end();
    await sendPieces(response, textOf(page, viewOf));
  };

  /** What is on the page, its first piece, and how to come by the others. */
  async function openPage(ids: readonly string[], query: AuditQuery, response: Response): Promise<AuditPage> {
    const [one, ...others] = ids;
    if (one === undefined) return { first: [], total: 0, isWhole: true, rest: noMore };
    const tenantIds = [one, ...others] as const;
    const asked = { ...query, tenantIds, count: query.count ?? pageLimits.default };
    const read: Read = (work) =>
      reading(tenantIds, query.filter, (sql) => {
        throwIfGone(response);
        return work(sql);
      });
    const [places, total, first] = await read(async (sql) => {
      const found = await placesAcross(sql, asked);
      return [
        found,
        await countAcross(sql, asked),
        await eventsAt(sql, found.slice(0, firstRows), pieceBytes),
      ] as const;
    });
    const left = places.slice(first.places);
    return { first: first.events, total, isWhole: left.length === 0, rest: () => pieces(read, left, first) };
  }
}

type Read = <T>(work: (sql: Sql) => Promise<T>) => Promise<T>;
type Piece = Awaited<ReturnType<typeof eventsAt>>;
type AuditPage = {
  first: TenantEvent[];
  total: number;
  isWhole: boolean;
  rest(): AsyncGenerator<TenantEvent[]>;
};

/** Rows of the first piece, before anything is known of their size. */
const firstRows = 100;

async function* noMore(): AsyncGenerator<TenantEvent[]> {}

/** The events at these places, piece by piece; `before` is the one before, whose rows say how many of the next will fit. */
async function* pieces(read: Read, places: readonly EventPlace[], before: Piece): AsyncGenerator<TenantEvent[]> {
  let last = before;
  for (let at = 0; at < places.length; at += last.places) {
    const bytes = last.events.reduce((sum, { json }) => sum + json.length, 0);
    const rows = bytes === 0 ? firstRows : Math.max(1, Math.ceil((pieceBytes * last.events.length) / bytes));
    const next = places.slice(at, at + rows);
    last = await read((sql) => eventsAt(sql, next, pieceBytes));
    yield last.events;
  }
}

/** The page as response.json() would write it, a row at a time. */
async function* textOf(
  { first, total, rest }: AuditPage,
  viewOf: (event: TenantEvent) => object,
): AsyncGenerator<string> {
  let before = '{"data":[';
  const rowsOf = function* (events: TenantEvent[]) {
    for (const event of events) {
      yield before + JSON.stringify(viewOf(event));
      before = ',';
    }
  };
  yield* rowsOf(first);
  for await (const events of rest()) yield* rowsOf(events);
  yield `],"total":${total}}`;
}
