import type { RequestHandler } from 'express';
import { keepRecent } from '../../../core/async/recent.ts';
import { invalid } from '../../../core/errors.ts';
import { progressLimits } from '../../../core/limits/replies.ts';
import type { Metrics } from '../../../core/metrics.ts';
import { unknownName } from '../../../core/nearest-name.ts';
import type { Database, Prisma } from '../../../prisma/client.ts';
import { listExportDeliveries } from '../../../prisma/deliveries.ts';
import {
  type ExportStatus,
  exportStatuses,
  getExport,
  listExports,
  mostExportPageBytes,
  reloadExport,
} from '../../../prisma/exports/find.ts';
import { type ExportRow, withShortFilter } from '../../../prisma/exports/view.ts';
import { callerOf, tenantOf } from '../../access/tenant-route.ts';
import { holdingOf } from '../../http/held-memory.ts';
import { meterStream } from '../../http/metrics.ts';
import { idPageOf, readIdPage } from '../../http/paging.ts';
import { reply } from '../../openapi/described.ts';
import { deliveryExample, exportExample, pageExample } from '../../openapi/examples.ts';
import { exportStatus, idOf, lastEventId, paging } from '../../openapi/parameters.ts';
import type { Route } from '../../route.ts';
import { progressPlaces } from '../../streams/stream-places.ts';
import { presentDeliveries } from '../deliveries.ts';
import { answerExport, exportIdOf, type PresentDeps, presentExport, presentExports } from './present.ts';
import { everyMs, streamProgress } from './stream-progress.ts';

type Deps = PresentDeps & { database: Database; metrics: Metrics };

const id = idOf('export');

/** Exports of the tenant, and each of them: what it is, how it goes on, and what webhooks were told of it. */
export const readRoutes: readonly Route<Deps>[] = [
  {
    id: 'listExports',
    method: 'get',
    path: '/v1/exports',
    summary: 'List exports',
    description: 'Newest first.',
    by: 'export',
    parameters: [exportStatus, ...paging],
    replies: { 200: reply('One page', { schema: 'ExportPage', example: pageExample(exportExample) }) },
    handle: getExports,
  },
  {
    id: 'getExport',
    method: 'get',
    path: '/v1/exports/:id',
    summary: 'Read one export',
    by: 'export',
    parameters: [id],
    replies: { 200: reply('The export', { schema: 'Export', example: exportExample, headers: ['Retry-After'] }) },
    handle: getOne,
  },
  {
    id: 'watchExport',
    method: 'get',
    path: '/v1/exports/:id/events',
    summary: 'Watch the progress of an export',
    description:
      'Server-sent events: `progress` at least every second, then one named by how it ended: `completed`, `failed`, `canceled`, `expired`. The data of each is the export; a filter of more than 4 KiB is null there.',
    by: 'export',
    parameters: [id, lastEventId],
    replies: {
      200: {
        description: 'The events',
        headers: ['Cache-Control'],
        content: {
          'text/event-stream': {
            schema: { type: 'string' },
            example: `id: completed\nevent: completed\nretry: 2000\ndata: ${JSON.stringify(exportExample)}\n\n`,
          },
        },
      },
      204: { description: 'The client has had the last event: there is nothing to wait for' },
    },
    handle: watch,
  },
  {
    id: 'listExportDeliveries',
    method: 'get',
    path: '/v1/exports/:id/deliveries',
    summary: 'List what webhooks were told of an export',
    by: 'export',
    parameters: [id, ...paging],
    replies: { 200: reply('One page', { schema: 'DeliveryPage', example: pageExample(deliveryExample) }) },
    handle: getDeliveries,
  },
];

function getExports(deps: Deps): RequestHandler {
  return async (request, response) => {
    const page = readIdPage(request.query);
    const status = readStatuses(request.query.status);
    await holdingOf(request, response).take('pages', mostExportPageBytes(page.limit));
    const { rows, fitting } = await listExports(deps.database.prisma, tenantOf(response).id, { ...page, status });
    const { data, meta } = idPageOf(rows, { ...page, limit: fitting });
    response.json({ data: await presentExports(deps, response, data), meta });
  };
}

function getOne(deps: Deps): RequestHandler {
  return async (request, response) => {
    const id = exportIdOf(request, response);
    await answerExport(deps, response, { row: await getExport(deps.database.prisma, tenantOf(response).id, id) });
  };
}

function watch(deps: Deps): RequestHandler {
  const { prisma } = deps.database;
  const takePlace = progressPlaces();
  const reload = sharedReload(prisma);
  return async (request, response) => {
    const row = withShortFilter(await getExport(prisma, tenantOf(response).id, exportIdOf(request, response)));
    const giveBack = takePlace({ tenantId: row.tenantId, callerId: callerOf(response).countedAs });
    try {
      meterStream(deps.metrics, 'progress', response);
      await streamProgress(row, response, {
        reload: () => reload(row),
        view: (each) => presentExport(deps, response, each),
      });
    } finally {
      giveBack();
    }
  };
}

/** Streams of one export share a look at it, however many they are. */
function sharedReload(prisma: Prisma): (row: ExportRow) => Promise<ExportRow> {
  let asked: ExportRow;
  // A load begins within the call that asks for it.
  const latest = keepRecent(() => reloadExport(prisma, asked), { maxAgeMs: everyMs / 2, most: progressLimits.inAll });
  return async (row) => {
    asked = row;
    return (await latest.get(row.id))!;
  };
}

function getDeliveries({ database: { prisma } }: Deps): RequestHandler {
  return async (request, response) => {
    const page = readIdPage(request.query);
    const id = exportIdOf(request, response);
    response.json(presentDeliveries(await listExportDeliveries(prisma, tenantOf(response).id, id, page), page));
  };
}

function readStatuses(asked: unknown): ExportStatus[] | undefined {
  if (asked === undefined) return undefined;
  return [asked].flat().map((status) => {
    const known = exportStatuses.find((each) => each === status);
    if (!known) throw invalid([{ path: 'status', message: unknownName('status', String(status), exportStatuses) }]);
    return known;
  });
}
