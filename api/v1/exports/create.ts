import type { RequestHandler, Response } from 'express';
import type { Config } from '../../../core/config.ts';
import { exportRequestSchema } from '../../../core/exports/exports.ts';
import { waitLimits } from '../../../core/limits/replies.ts';
import type { Metrics } from '../../../core/metrics.ts';
import type { SecretKey } from '../../../core/secret-key.ts';
import type { WebhookGuard } from '../../../core/webhooks/webhook-address.ts';
import type { Database, Prisma } from '../../../prisma/client.ts';
import { createExport } from '../../../prisma/exports/create.ts';
import { isFinal, reloadExport } from '../../../prisma/exports/find.ts';
import type { StoreRoom } from '../../../prisma/exports/store-room.ts';
import type { ExportRow } from '../../../prisma/exports/view.ts';
import { auditContext, tenantOf } from '../../access/tenant-route.ts';
import { parse } from '../../http/body.ts';
import { readIdempotencyKey, readWaitSeconds } from '../../http/request-headers.ts';
import { logExportId } from '../../http/request-log.ts';
import { jsonContent, reply } from '../../openapi/described.ts';
import { exportExample, exportRequestExample, queuedExportExample } from '../../openapi/examples.ts';
import { idempotencyKey, prefer } from '../../openapi/parameters.ts';
import type { Route } from '../../route.ts';
import { type EnqueueDeps, enqueueExport } from '../enqueue.ts';
import type { PlanChecks } from '../limits.ts';
import { openWaits } from '../wait-for-end.ts';
import { answerExport, type PresentDeps } from './present.ts';
import { webhookSecret } from './webhook-secret.ts';

type Deps = PresentDeps &
  EnqueueDeps & {
    config: Config;
    database: Database;
    secretKey: SecretKey;
    guard: WebhookGuard;
    metrics: Metrics;
    planChecks: PlanChecks;
    storeRoom: StoreRoom;
  };

/** What POST /v1/exports and its estimate take. */
export const exportRequestBody = jsonContent('ExportRequest', {
  export: exportRequestExample,
  least: { format: 'ndjson' },
});

export const createOne: Route<Deps> = {
  id: 'createExport',
  method: 'post',
  path: '/v1/exports',
  summary: 'Make an export',
  description:
    'Needs the plan `pro`. The file holds exactly the matching events with `sequence_number <= as_of_sequence`. The secret of its own webhook is shown in this reply alone.',
  by: 'export',
  plan: 'pro',
  parameters: [idempotencyKey, prefer],
  body: exportRequestBody,
  replies: {
    200: reply('It has ended within the wait', {
      schema: 'NewExport',
      example: exportExample,
      headers: ['Location', 'Preference-Applied', 'Idempotency-Replayed'],
    }),
    202: reply('It is queued, or runs', {
      schema: 'NewExport',
      example: queuedExportExample,
      headers: ['Location', 'Retry-After', 'Preference-Applied', 'Idempotency-Replayed'],
    }),
  },
  errors: ['conflict', 'plan_limit_exceeded', 'idempotency_mismatch'],
  handle: postExport,
};

function postExport(deps: Deps): RequestHandler {
  const waitForEnd = openExportWaits(deps.database.prisma);
  return async (request, response) => {
    const idempotencyKey = readIdempotencyKey(request);
    const waitSeconds = readWaitSeconds(request);
    const wanted = parse(exportRequestSchema, request.body);
    const secret = await webhookSecret(deps.guard, wanted);
    const { row, replayed } = await createExport(deps.database.prisma, tenantOf(response).id, {
      request: wanted,
      by: auditContext(request, response),
      layout: layoutOf(deps.config),
      limits: await deps.planChecks(tenantOf(response)),
      storeIsFull: await deps.storeRoom.isReached(),
      idempotencyKey,
      sealedWebhookSecret: secret === undefined ? undefined : deps.secretKey.seal(secret),
    });
    logExportId(response, row.id);
    if (!replayed) deps.metrics.add('logferry_exports_created_total', 1);
    if (!isFinal(row.status)) await enqueueExport(deps, row.id);
    if (replayed) response.set('Idempotency-Replayed', 'true');
    response.location(`/v1/exports/${row.id}`);
    const { latest, status } = await waitIfAsked(row, waitSeconds, response);
    const more = secret && !replayed ? { webhook: { url: wanted.webhook!.url, secret } } : {};
    await answerExport(deps, response, { row: latest, status, more });
  };

  type Row = Awaited<ReturnType<typeof createExport>>['row'];
  async function waitIfAsked(row: Row, seconds: number, response: Response) {
    if (seconds === 0) return { latest: row, status: 202 };
    const latest = await waitForEnd(row, seconds * 1000, response);
    if (!latest) return { latest: row, status: 202 };
    response.set('Preference-Applied', `wait=${seconds}`);
    return { latest, status: isFinal(latest.status) ? 200 : 202 };
  }
}

/** What waits for exports, by so many requests at most. */
export const openExportWaits = (prisma: Prisma, limits = waitLimits) =>
  openWaits<ExportRow>(
    { reload: (row) => reloadExport(prisma, row), hasEnded: ({ status }) => isFinal(status) },
    limits,
  );

const layoutOf = (config: Config) => ({
  segmentRows: config.LOGFERRY_SEGMENT_ROWS,
  partBytes: config.LOGFERRY_PART_MIB * 1024 * 1024,
  maxParts: config.LOGFERRY_MAX_PARTS,
});
