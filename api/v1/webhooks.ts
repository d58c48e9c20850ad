import { Router } from 'express';
import { invalid } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Queue } from '../../core/queue/queue.ts';
import type { SecretKey } from '../../core/secret-key.ts';
import { formatTimestamp } from '../../core/times.ts';
import type { WebhookGuard } from '../../core/webhooks/webhook-address.ts';
import { newWebhookSecret, webhookPatchSchema, webhookRequestSchema } from '../../core/webhooks/webhooks.ts';
import type { Database } from '../../prisma/client.ts';
import { listWebhookDeliveries, recordPing, webhookDisabled } from '../../prisma/deliveries.ts';
import {
  createWebhook,
  deleteWebhook,
  getWebhook,
  listWebhooks,
  rotateWebhookSecret,
  updateWebhook,
  type Webhook,
} from '../../prisma/webhooks.ts';
import { tenantOf, tenantRoute } from '../access/tenant-route.ts';
import { jsonBody, parse } from '../http/body.ts';
import { pageOf, readIdPage, refuseUnknownQuery } from '../http/paging.ts';
import { uuidOf } from '../http/path-id.ts';
import { presentDeliveries, presentDelivery } from './deliveries.ts';
import { enqueueDelivery } from './enqueue.ts';

export type WebhookRoutesDeps = {
  database: Database;
  queue: Queue;
  secretKey: SecretKey;
  guard: WebhookGuard;
  log: Log;
};

/** /webhooks: the tenant's endpoints. Those of single exports are no part of it. */
export function webhookRoutes(deps: WebhookRoutesDeps): Router {
  const { secretKey, guard } = deps;
  const { prisma } = deps.database;
  const router = Router();
  const mayManage = tenantRoute('webhooks:manage');

  router.post('/webhooks', mayManage, jsonBody(), async (request, response) => {
    refuseUnknownQuery(request.query, []);
    const wanted = parse(webhookRequestSchema, request.body);
    await refuseForbiddenUrl(guard, wanted.url);
    const secret = newWebhookSecret();
    const webhook = await createWebhook(prisma, tenantOf(response).id, wanted, secretKey.seal(secret));
    response.status(201).location(`/v1/webhooks/${webhook.id}`).json(presentWebhook(webhook, secret));
  });

  router.get('/webhooks', mayManage, async (request, response) => {
    const page = readIdPage(request.query);
    const { data, meta } = pageOf(await listWebhooks(prisma, tenantOf(response).id, page), page.limit, ({ id }) => ({
      id,
    }));
    response.json({ data: data.map((webhook) => presentWebhook(webhook)), meta });
  });

  router.get('/webhooks/:id', mayManage, async (request, response) => {
    refuseUnknownQuery(request.query, []);
    response.json(presentWebhook(await getWebhook(prisma, tenantOf(response).id, uuidOf(request, 'webhook'))));
  });

  router.patch('/webhooks/:id', mayManage, jsonBody(), async (request, response) => {
    refuseUnknownQuery(request.query, []);
    const tenantId = tenantOf(response).id;
    const { id } = await getWebhook(prisma, tenantId, uuidOf(request, 'webhook'));
    const patch = parse(webhookPatchSchema, request.body);
    if (patch.url !== undefined) await refuseForbiddenUrl(guard, patch.url);
    response.json(presentWebhook(await updateWebhook(prisma, tenantId, id, patch)));
  });

  router.delete('/webhooks/:id', mayManage, async (request, response) => {
    refuseUnknownQuery(request.query, []);
    await deleteWebhook(prisma, tenantOf(response).id, uuidOf(request, 'webhook'));
    response.status(204).end();
  });

  router.post('/webhooks/:id/rotate-secret', mayManage, async (request, response) => {
    refuseUnknownQuery(request.query, []);
    const secret = newWebhookSecret();
    const sealed = secretKey.seal(secret);
    const webhook = await rotateWebhookSecret(prisma, tenantOf(response).id, uuidOf(request, 'webhook'), sealed);
    response.json(presentWebhook(webhook, secret));
  });

  router.post('/webhooks/:id/ping', mayManage, async (request, response) => {
    refuseUnknownQuery(request.query, []);
    const webhook = await getWebhook(prisma, tenantOf(response).id, uuidOf(request, 'webhook'));
    if (webhook.status === 'disabled') throw webhookDisabled();
    const delivery = await recordPing(prisma, webhook);
    enqueueDelivery(deps, delivery.id);
    response.status(202).json(presentDelivery(delivery));
  });

  router.get('/webhooks/:id/deliveries', mayManage, async (request, response) => {
    const page = readIdPage(request.query);
    const { id, tenantId } = await getWebhook(prisma, tenantOf(response).id, uuidOf(request, 'webhook'));
    response.json(presentDeliveries(await listWebhookDeliveries(prisma, tenantId, id, page), page.limit));
  });

  return router;
}

/** @throws AppError validation_error on `url` */
async function refuseForbiddenUrl(guard: WebhookGuard, url: string): Promise<void> {
  const mistake = await guard.mistakeIn(url);
  if (mistake) throw invalid([{ path: 'url', message: mistake }]);
}

/** A webhook as the API shows it; its secret only to who has just made or rotated it. */
const presentWebhook = (webhook: Webhook, secret?: string) => ({
  id: webhook.id,
  url: webhook.url,
  events: webhook.events,
  description: webhook.description,
  include_download_url: webhook.includeDownloadUrl,
  status: webhook.status,
  disabled_reason: webhook.disabledReason,
  created_at: formatTimestamp(webhook.createdAt),
  ...(secret === undefined ? {} : { secret }),
});
