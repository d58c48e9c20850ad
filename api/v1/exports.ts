import { type Request, type Response, Router } from 'express';
import { within } from '../../core/async/within.ts';
import type { Config } from '../../core/config.ts';
import { AppError, invalid } from '../../core/errors.ts';
import { type ExportRequest, exportRequestSchema } from '../../core/exports/exports.ts';
import { isUuid } from '../../core/ids.ts';
import type { Log } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import { unknownName } from '../../core/nearest-name.ts';
import type { Queue } from '../../core/queue/queue.ts';
import type { SecretKey } from '../../core/secret-key.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import type { WebhookGuard } from '../../core/webhooks/webhook-address.ts';
import { newWebhookSecret } from '../../core/webhooks/webhooks.ts';
import type { Database } from '../../prisma/client.ts';
import { recordDownload } from '../../prisma/exports/audit.ts';
import { createExport } from '../../prisma/exports/create.ts';
import { cancelExport, deleteExport, type Ending, markFileDeleted } from '../../prisma/exports/end.ts';
import { type ExportStatus, exportStatuses, getExport, isFinal, listExports } from '../../prisma/exports/find.ts';
import { mintLink } from '../../prisma/exports/link.ts';
import { type ExportRow, exportView, isDownloadable } from '../../prisma/exports/view.ts';
import { auditContext, requirePlan, tenantOf, tenantRoute } from '../access/tenant-route.ts';
import { jsonBody, parse } from '../http/body.ts';
import { meterStream } from '../http/metrics.ts';
import { pageOf, readIdPage, refuseUnknownQuery } from '../http/paging.ts';
import { uuidOf } from '../http/path-id.ts';
import { readIdempotencyKey, readWaitSeconds } from '../http/request-headers.ts';
import { logExportId } from '../http/request-log.ts';
import { enqueueDelivery, enqueueExport } from './enqueue.ts';
import { estimateExport } from './estimate-export.ts';
import type { PlanChecks } from './limits.ts';
import { streamProgress } from './stream-progress.ts';
import { waitForEnd } from './wait-for-end.ts';

export type ExportRoutesDeps = {
  config: Config;
  database: Database;
  queue: Queue;
  store: ObjectStore;
  secretKey: SecretKey;
  guard: WebhookGuard;
  log: Log;
  metrics: Metrics;
  planChecks: PlanChecks;
};

/** Seconds after which a client should ask again. */
const retryAfterSeconds = 1;
/** Milliseconds that a DELETE waits for the storage. */
const deleteLimitMs = 10_000;

/** /exports: the jobs. Every route needs the scope `export`; making one needs the plan `pro` too. */
export function exportRoutes(deps: ExportRoutesDeps): Router {
  const { prisma } = deps.database;
  const router = Router();
  const mayExport = tenantRoute('export');
  router.param('id', (_request, response, next, id) => {
    if (isUuid(id)) logExportId(response, id);
    next();
  });

  router.post('/exports', mayExport, jsonBody(), async (request, response) => {
    refuseUnknownQuery(request.query, []);
    requirePlan(response, 'pro');
    await postExport(deps, request, response);
  });

  router.post('/exports/estimate', mayExport, jsonBody(), async (request, response) => {
    refuseUnknownQuery(request.query, []);
    requirePlan(response, 'pro');
    const wanted = parse(exportRequestSchema, request.body);
    await webhookSecret(deps.guard, wanted);
    response.json(await estimateExport(deps.database, tenantOf(response).id, wanted));
  });

  router.get('/exports', mayExport, async (request, response) => {
    const page = readIdPage(request.query, ['status']);
    const rows = await listExports(prisma, tenantOf(response).id, {
      limit: page.limit,
      before: page.afterId,
      status: readStatuses(request.query.status),
    });
    const { data, meta } = pageOf(rows, page.limit, ({ id }) => ({ id }));
    response.json({ data: await Promise.all(data.map((row) => viewWithLink(deps, row))), meta });
  });

  router.get('/exports/:id', mayExport, async (request, response) => {
    refuseUnknownQuery(request.query, []);
    await answerExport(deps, response, 200, await getExport(prisma, tenantOf(response).id, uuidOf(request, 'export')));
  });

  router.get('/exports/:id/events', mayExport, async (request, response) => {
    refuseUnknownQuery(request.query, []);
    const row = await getExport(prisma, tenantOf(response).id, uuidOf(request, 'export'));
    meterStream(deps.metrics, 'progress', response);
    await streamProgress(row, response, {
      reload: () => getExport(prisma, row.tenantId, row.id),
      view: (each) => viewWithLink(deps, each),
    });
  });

  router.get('/exports/:id/download', mayExport, async (request, response) => {
    refuseUnknownQuery(request.query, []);
    const row = await getExport(prisma, tenantOf(response).id, uuidOf(request, 'export'));
    refuseUndownloadable(row);
    const link = await mintLink(deps.store, row, deps.config.DOWNLOAD_URL_TTL);
    if (!link) throw gone();
    // HEAD asks where a download would lead.
    if (request.method === 'GET') await recordDownload(prisma, row, auditContext(request, response));
    response.set('Cache-Control', 'no-store').redirect(302, link.download_url);
  });

  router.post('/exports/:id/cancel', mayExport, async (request, response) => {
    refuseUnknownQuery(request.query, []);
    const by = auditContext(request, response);
    const ending = await cancelExport(prisma, tenantOf(response).id, uuidOf(request, 'export'), by);
    announceEnding(deps, ending);
    await answerExport(deps, response, 202, ending.row);
  });

  router.delete('/exports/:id', mayExport, async (request, response) => {
    refuseUnknownQuery(request.query, []);
    const by = auditContext(request, response);
    const ending = await deleteExport(prisma, tenantOf(response).id, uuidOf(request, 'export'), by);
    announceEnding(deps, ending);
    if (ending.row.status === 'expired' && !ending.row.fileDeletedAt) await deleteFile(deps, ending.row);
    response.status(204).end();
  });

  return router;
}

function announceEnding(deps: ExportRoutesDeps, { deliveries, ended }: Ending): void {
  if (ended) deps.metrics.add('logferry_exports_ended_total', 1, { outcome: ended });
  for (const id of deliveries) enqueueDelivery(deps, id);
}

async function postExport(deps: ExportRoutesDeps, request: Request, response: Response): Promise<void> {
  const idempotencyKey = readIdempotencyKey(request);
  const waitSeconds = readWaitSeconds(request);
  const wanted = parse(exportRequestSchema, request.body);
  const secret = await webhookSecret(deps.guard, wanted);
  const { row, replayed } = await createExport(deps.database.prisma, tenantOf(response).id, {
    request: wanted,
    by: auditContext(request, response),
    layout: layoutOf(deps.config),
    limits: await deps.planChecks(tenantOf(response)),
    idempotencyKey,
    sealedWebhookSecret: secret === undefined ? undefined : deps.secretKey.seal(secret),
  });
  logExportId(response, row.id);
  if (!replayed) deps.metrics.add('logferry_exports_created_total', 1);
  if (!isFinal(row.status)) await enqueueExport(deps, row.id);
  const latest = waitSeconds > 0 ? await waitForEnd(deps.database.prisma, row, waitSeconds * 1000, response) : row;
  if (waitSeconds > 0) response.set('Preference-Applied', `wait=${waitSeconds}`);
  if (replayed) response.set('Idempotency-Replayed', 'true');
  response.location(`/v1/exports/${row.id}`);
  const webhook = secret && !replayed ? { webhook: { url: wanted.webhook!.url, secret } } : {};
  await answerExport(deps, response, waitSeconds > 0 && isFinal(latest.status) ? 200 : 202, latest, webhook);
}

/** @throws AppError unavailable when the storage does not delete it in time */
async function deleteFile({ store, database, log }: ExportRoutesDeps, row: ExportRow): Promise<void> {
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

const layoutOf = (config: Config) => ({
  segmentRows: config.LOGFERRY_SEGMENT_ROWS,
  partBytes: config.LOGFERRY_PART_MIB * 1024 * 1024,
  maxParts: config.LOGFERRY_MAX_PARTS,
});

/** The secret of the export's own webhook, made if none was brought. @throws the 422 for an address that will not do */
async function webhookSecret(guard: WebhookGuard, { webhook }: ExportRequest): Promise<string | undefined> {
  if (!webhook) return undefined;
  const mistake = await guard.mistakeIn(webhook.url);
  if (mistake) throw invalid([{ path: 'webhook.url', message: mistake }]);
  return webhook.secret ?? newWebhookSecret();
}

async function answerExport(
  deps: ExportRoutesDeps,
  response: Response,
  status: number,
  row: ExportRow,
  more: object = {},
): Promise<void> {
  if (!isFinal(row.status)) response.set('Retry-After', String(retryAfterSeconds));
  response.status(status).json({ ...(await viewWithLink(deps, row)), ...more });
}

const viewWithLink = async ({ store, config }: ExportRoutesDeps, row: ExportRow) =>
  exportView(row, await mintLink(store, row, config.DOWNLOAD_URL_TTL));

function refuseUndownloadable(row: ExportRow): void {
  if (isDownloadable(row)) return;
  if (!isFinal(row.status))
    throw new AppError('conflict', `The export is ${row.status}; its file can be downloaded once it is completed.`);
  if (row.status === 'failed' || row.status === 'canceled')
    throw new AppError('conflict', `The export is ${row.status}; it has no file.`);
  throw gone();
}

const gone = (): AppError =>
  new AppError('gone', 'The file of this export has expired or was deleted. Make a new export.');

function readStatuses(asked: unknown): ExportStatus[] | undefined {
  if (asked === undefined) return undefined;
  return [asked].flat().map((status) => {
    const known = exportStatuses.find((each) => each === status);
    if (!known) throw invalid([{ path: 'status', message: unknownName('status', String(status), exportStatuses) }]);
    return known;
  });
}
