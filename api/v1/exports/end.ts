import type { RequestHandler } from 'express';
import { within } from '../../../core/async/within.ts';
import { AppError } from '../../../core/errors.ts';
import type { Metrics } from '../../../core/metrics.ts';
import type { Database } from '../../../prisma/client.ts';
import { cancelExport, deleteExport, type Ending, markFileDeleted } from '../../../prisma/exports/end.ts';
import type { ExportRow } from '../../../prisma/exports/view.ts';
import { auditContext, tenantOf } from '../../access/tenant-route.ts';
import { reply } from '../../openapi/described.ts';
import { queuedExportExample } from '../../openapi/examples.ts';
import { idOf } from '../../openapi/parameters.ts';
import type { Route } from '../../route.ts';
import { type EnqueueDeps, enqueueDelivery } from '../enqueue.ts';
import { answerExport, exportIdOf, type PresentDeps } from './present.ts';

type Deps = PresentDeps & EnqueueDeps & { database: Database; metrics: Metrics };

/** Milliseconds that a DELETE waits for the storage. */
const deleteLimitMs = 10_000;

/** Ending an export before its time, or its file. */
export const endRoutes: readonly Route<Deps>[] = [
  {
    id: 'deleteExport',
    method: 'delete',
    path: '/v1/exports/:id',
    summary: 'Delete the file of an export',
    description: 'One that has not ended is canceled. The record stays.',
    by: 'export',
    parameters: [idOf('export')],
    replies: { 204: { description: 'Done' } },
    handle: deleteOne,
  },
  {
    id: 'cancelExport',
    method: 'post',
    path: '/v1/exports/:id/cancel',
    summary: 'Cancel an export',
    description: 'One that runs stops within 5 seconds.',
    by: 'export',
    parameters: [idOf('export')],
    replies: {
      202: reply('It is canceled, or about to be', {
        schema: 'Export',
        example: { ...queuedExportExample, status: 'canceled' },
        headers: ['Retry-After'],
      }),
    },
    errors: ['conflict'],
    handle: cancel,
  },
];

function cancel(deps: Deps): RequestHandler {
  return async (request, response) => {
    const by = auditContext(request, response);
    const id = exportIdOf(request, response);
    const ending = await cancelExport(deps.database.prisma, tenantOf(response).id, id, by);
    announceEnding(deps, ending);
    await answerExport(deps, response, { row: ending.row, status: 202 });
  };
}

function deleteOne(deps: Deps): RequestHandler {
  return async (request, response) => {
    const by = auditContext(request, response);
    const id = exportIdOf(request, response);
    const ending = await deleteExport(deps.database.prisma, tenantOf(response).id, id, by);
    announceEnding(deps, ending);
    if (ending.row.status === 'expired' && !ending.row.fileDeletedAt) await deleteFile(deps, ending.row);
    response.status(204).end();
  };
}

function announceEnding(deps: Deps, { deliveries, ended }: Ending): void {
  if (ended) deps.metrics.add('logferry_exports_ended_total', 1, { outcome: ended });
  for (const id of deliveries) enqueueDelivery(deps, id);
}

/** @throws AppError unavailable when the storage does not delete it in time */
async function deleteFile({ store, database, log }: Deps, row: ExportRow): Promise<void> {
  try {
    await within(deleteLimitMs, 'the deletion of a file', store.deleteObject(row.storageKey));
  } catch (err) {
    log.warn({ err, export_id: row.id }, 'file not deleted yet');
    throw new AppError(
      'unavailable',
      'The storage does not answer. The export has expired, and its file is deleted as soon as it does. Repeat the DELETE to make sure.',
      { headers: { 'Retry-After': '10' } },
    );
  }
  await markFileDeleted(database.prisma, row.id);
}
