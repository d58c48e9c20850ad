import type { RequestHandler, Response } from 'express';
import { boundedSlots } from '../../core/async/bounded-slots.ts';
import { erasureRequestSchema } from '../../core/events/erasure-request.ts';
import { now } from '../../core/times.ts';
import type { Database } from '../../prisma/client.ts';
import { countErasure, createErasure } from '../../prisma/erasures/create.ts';
import {
  type ErasureRow,
  type ErasureView,
  erasureView,
  getErasure,
  hasEnded,
  listErasures,
} from '../../prisma/erasures/find.ts';
import { auditContext, tenantOf } from '../access/tenant-route.ts';
import { parse } from '../http/body.ts';
import { idPageOf, readIdPage } from '../http/paging.ts';
import { uuidOf } from '../http/path-id.ts';
import { readIdempotencyKey, readWaitSeconds } from '../http/request-headers.ts';
import { jsonContent, reply } from '../openapi/described.ts';
import { erasureExample, newErasureExample, pageExample } from '../openapi/examples.ts';
import { idempotencyKey, idOf, paging, prefer } from '../openapi/parameters.ts';
import type { Route } from '../route.ts';
import { type EnqueueDeps, enqueueExport } from './enqueue.ts';
import { openWaits } from './wait-for-end.ts';

type Deps = EnqueueDeps & { database: Database };

const queued = { ...erasureExample, status: 'queued', matched: null, erased: null, exports: null, completed_at: null };

/** Erasing compartments of events: their values go, and hashes, proofs and receipts hold (docs/verify.md). */
export const erasureRoutes: readonly Route<Deps>[] = [
  {
    id: 'createErasure',
    method: 'post',
    path: '/v1/erasures',
    summary: 'Erase parts of events',
    description:
      'Of the events that match and are committed by now, the values of the compartments go for good; hashes, proofs and receipts still hold. A dry run only counts. A 409 while the tenant is on legal hold.',
    by: 'erase',
    parameters: [idempotencyKey, prefer],
    body: jsonContent('NewErasure', { erasure: newErasureExample }),
    replies: {
      200: reply('It has ended within the wait, or was a dry run', {
        schema: 'Erasure',
        example: erasureExample,
        headers: ['Preference-Applied', 'Idempotency-Replayed'],
      }),
      202: reply('It is queued, or runs', {
        schema: 'Erasure',
        example: queued,
        headers: ['Location', 'Retry-After', 'Preference-Applied', 'Idempotency-Replayed'],
      }),
    },
    errors: ['conflict', 'idempotency_mismatch'],
    handle: postErasure,
  },
  {
    id: 'listErasures',
    method: 'get',
    path: '/v1/erasures',
    summary: 'List erasures',
    description: 'Newest first.',
    by: 'erase',
    parameters: paging,
    replies: { 200: reply('One page', { schema: 'ErasurePage', example: pageExample(erasureExample) }) },
    handle: getErasures,
  },
  {
    id: 'getErasure',
    method: 'get',
    path: '/v1/erasures/:id',
    summary: 'Read one erasure',
    by: 'erase',
    parameters: [idOf('erasure')],
    replies: { 200: reply('The erasure', { schema: 'Erasure', example: erasureExample, headers: ['Retry-After'] }) },
    handle: getOne,
  },
];

const tooBusy = 'Too many dry runs are being made. Wait for the one before to end.';
/** Each looks at the whole log. */
const mostCounted = { inAll: 4, ofOneTenant: 1, waitMs: 30_000 };

function postErasure(deps: Deps): RequestHandler {
  const { database } = deps;
  const inSlot = boundedSlots(mostCounted, tooBusy);
  const reload = (row: ErasureRow) => getErasure(database.prisma, row.tenantId, row.id);
  const waitForEnd = openWaits<ErasureRow>({ reload, hasEnded });
  return async (request, response) => {
    const idempotencyKey = readIdempotencyKey(request);
    const wanted = parse(erasureRequestSchema, request.body);
    const by = auditContext(request, response);
    const { id: tenantId } = tenantOf(response);
    if (wanted.dry_run) {
      const matched = await inSlot(tenantId, () => countErasure(database, tenantId, wanted));
      const { type, id, name, email = null } = by.actor;
      const { filter, compartments, reason } = wanted;
      const at = now();
      response.json({
        ...{ id: null, object: 'erasure', status: 'completed', filter, compartments, reason },
        ...{ matched, erased: null, exports: null },
        ...{ created_by: { type, id, name, email }, created_at: at, completed_at: at, error: null },
      } satisfies ErasureView);
      return;
    }
    const { row, replayed } = await createErasure(database.prisma, tenantId, { request: wanted, by, idempotencyKey });
    if (!hasEnded(row)) await enqueueExport(deps, row.id);
    if (replayed) response.set('Idempotency-Replayed', 'true');
    const seconds = readWaitSeconds(request);
    const latest = seconds > 0 ? await waitForEnd(row, seconds * 1000, response) : undefined;
    if (latest) response.set('Preference-Applied', `wait=${seconds}`);
    response.location(`/v1/erasures/${row.id}`);
    response.status(latest && hasEnded(latest) ? 200 : 202);
    answer(response, latest ?? row);
  };
}

function answer(response: Response, row: ErasureRow): void {
  if (!hasEnded(row)) response.set('Retry-After', '1');
  response.json(erasureView(row));
}

function getErasures({ database: { prisma } }: Deps): RequestHandler {
  return async (request, response) => {
    const page = readIdPage(request.query);
    const { data, meta } = idPageOf(await listErasures(prisma, tenantOf(response).id, page), page);
    response.json({ data: data.map(erasureView), meta });
  };
}

function getOne({ database: { prisma } }: Deps): RequestHandler {
  return async (request, response) =>
    answer(response, await getErasure(prisma, tenantOf(response).id, uuidOf(request, 'erasure')));
}
