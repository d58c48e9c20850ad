import type { RequestHandler } from 'express';
import type { Config } from '../../core/config.ts';
import { invalid } from '../../core/errors.ts';
import { limitsOf } from '../../core/exports/plan-limits.ts';
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
import { auditContext, tenantOf } from '../access/tenant-route.ts';
import { parse } from '../http/body.ts';
import { idPageOf, readIdPage } from '../http/paging.ts';
import { uuidOf } from '../http/path-id.ts';
import { jsonContent, reply } from '../openapi/described.ts';
import {
  deliveryExample,
  newWebhookExample,
  pageExample,
  webhookExample,
  webhookWithSecretExample,
} from '../openapi/examples.ts';
import { idOf, paging } from '../openapi/parameters.ts';
import type { Route } from '../route.ts';
import { presentDeliveries, presentDelivery } from './deliveries.ts';
import { enqueueDelivery } from './enqueue.ts';

type Deps = {
  config: Pick<Config, 'LOGFERRY_PLAN_LIMITS'>;
  database: Database;
  queue: Queue;
  secretKey: SecretKey;
  guard: WebhookGuard;
  log: Log;
};

const id = idOf('webhook');
const oneWebhook = reply('The webhook', { schema: 'Webhook', example: webhookExample });
const pingExample = { ...deliveryExample, export_id: null, type: 'ping', status: 'pending', attempts: [] };

/** /v1/webhooks: the tenant's endpoints, and what they were told. Those of single exports are no part of it. */
export const webhookRoutes: readonly Route<Deps>[] = [
  {
    id: 'createWebhook',
    method: 'post',
    path: '/v1/webhooks',
    summary: 'Make a webhook',
    description: 'The secret is shown in this reply alone.',
    by: 'webhooks:manage',
    body: jsonContent('NewWebhook', { webhook: newWebhookExample, least: { url: 'https://example.com/hooks' } }),
    replies: {
      201: reply('The webhook', {
        schema: 'WebhookWithSecret',
        example: webhookWithSecretExample,
        headers: ['Location'],
      }),
    },
    errors: ['plan_limit_exceeded'],
    handle: postWebhook,
  },
  {
    id: 'listWebhooks',
    method: 'get',
    path: '/v1/webhooks',
    summary: 'List webhooks',
    by: 'webhooks:manage',
    parameters: paging,
    replies: { 200: reply('One page', { schema: 'WebhookPage', example: pageExample(webhookExample) }) },
    handle: getWebhooks,
  },
  {
    id: 'getWebhook',
    method: 'get',
    path: '/v1/webhooks/:id',
    summary: 'Read one webhook',
    by: 'webhooks:manage',
    parameters: [id],
    replies: { 200: oneWebhook },
    handle: getOne,
  },
  {
    id: 'changeWebhook',
    method: 'patch',
    path: '/v1/webhooks/:id',
    summary: 'Change a webhook',
    description: 'What is left out stays. `{"status": "enabled"}` brings a disabled one back.',
    by: 'webhooks:manage',
    parameters: [id],
    body: jsonContent('WebhookChanges', { enable: { status: 'enabled' } }),
    replies: { 200: oneWebhook },
    handle: patchWebhook,
  },
  {
    id: 'deleteWebhook',
    method: 'delete',
    path: '/v1/webhooks/:id',
    summary: 'Delete a webhook',
    by: 'webhooks:manage',
    parameters: [id],
    replies: { 204: { description: 'Done' } },
    handle: deleteOne,
  },
  {
    id: 'rotateWebhookSecret',
    method: 'post',
    path: '/v1/webhooks/:id/rotate-secret',
    summary: 'Make a new secret',
    description: 'For 24 hours the old one signs as well.',
    by: 'webhooks:manage',
    parameters: [id],
    replies: { 200: reply('With the new secret', { schema: 'WebhookWithSecret', example: webhookWithSecretExample }) },
    handle: rotateSecret,
  },
  {
    id: 'pingWebhook',
    method: 'post',
    path: '/v1/webhooks/:id/ping',
    summary: 'Send a ping',
    description: 'It is tried once.',
    by: 'webhooks:manage',
    parameters: [id],
    replies: { 202: reply('The delivery, which is under way', { schema: 'Delivery', example: pingExample }) },
    errors: ['conflict'],
    handle: ping,
  },
  {
    id: 'listWebhookDeliveries',
    method: 'get',
    path: '/v1/webhooks/:id/deliveries',
    summary: 'List what a webhook was told',
    by: 'webhooks:manage',
    parameters: [id, ...paging],
    replies: { 200: reply('One page', { schema: 'DeliveryPage', example: pageExample(deliveryExample) }) },
    handle: getDeliveries,
  },
];

function postWebhook({ config, database: { prisma }, secretKey, guard }: Deps): RequestHandler {
  return async (request, response) => {
    const wanted = parse(webhookRequestSchema, request.body);
    await refuseForbiddenUrl(guard, wanted.url);
    const secret = newWebhookSecret();
    const { id, plan } = tenantOf(response);
    const webhook = await createWebhook(prisma, id, wanted, secretKey.seal(secret), {
      by: auditContext(request, response),
      limits: limitsOf(plan, config.LOGFERRY_PLAN_LIMITS),
    });
    response.status(201).location(`/v1/webhooks/${webhook.id}`).json(presentWebhook(webhook, secret));
  };
}

function getWebhooks({ database: { prisma } }: Deps): RequestHandler {
  return async (request, response) => {
    const page = readIdPage(request.query);
    const { data, meta } = idPageOf(await listWebhooks(prisma, tenantOf(response).id, page), page);
    response.json({ data: data.map((webhook) => presentWebhook(webhook)), meta });
  };
}

function getOne({ database: { prisma } }: Deps): RequestHandler {
  return async (request, response) => {
    response.json(presentWebhook(await getWebhook(prisma, tenantOf(response).id, uuidOf(request, 'webhook'))));
  };
}

function patchWebhook({ database: { prisma }, guard }: Deps): RequestHandler {
  return async (request, response) => {
    const tenantId = tenantOf(response).id;
    const { id } = await getWebhook(prisma, tenantId, uuidOf(request, 'webhook'));
    const patch = parse(webhookPatchSchema, request.body);
    if (patch.url !== undefined) await refuseForbiddenUrl(guard, patch.url);
    response.json(
      presentWebhook(await updateWebhook(prisma, tenantId, { id, by: auditContext(request, response) }, patch)),
    );
  };
}

function deleteOne({ database: { prisma } }: Deps): RequestHandler {
  return async (request, response) => {
    const by = auditContext(request, response);
    await deleteWebhook(prisma, tenantOf(response).id, uuidOf(request, 'webhook'), by);
    response.status(204).end();
  };
}

function rotateSecret({ database: { prisma }, secretKey }: Deps): RequestHandler {
  return async (request, response) => {
    const secret = newWebhookSecret();
    const sealed = secretKey.seal(secret);
    const which = { id: uuidOf(request, 'webhook'), by: auditContext(request, response) };
    const webhook = await rotateWebhookSecret(prisma, tenantOf(response).id, which, sealed);
    response.json(presentWebhook(webhook, secret));
  };
}

function ping(deps: Deps): RequestHandler {
  const { prisma } = deps.database;
  return async (request, response) => {
    const webhook = await getWebhook(prisma, tenantOf(response).id, uuidOf(request, 'webhook'));
    if (webhook.status === 'disabled') throw webhookDisabled();
    const delivery = await recordPing(prisma, webhook);
    enqueueDelivery(deps, delivery.id);
    response.status(202).json(presentDelivery(delivery));
  };
}

function getDeliveries({ database: { prisma } }: Deps): RequestHandler {
  return async (request, response) => {
    const page = readIdPage(request.query);
    const { id, tenantId } = await getWebhook(prisma, tenantOf(response).id, uuidOf(request, 'webhook'));
    response.json(presentDeliveries(await listWebhookDeliveries(prisma, tenantId, id, page), page));
  };
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
