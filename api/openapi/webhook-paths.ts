import {
  deliveryExample,
  newWebhookExample,
  pageExample,
  webhookExample,
  webhookWithSecretExample,
} from './examples.ts';
import { jsonBody, type Paths, reply } from './operation.ts';
import { idOf, paging } from './parameters.ts';

const id = idOf('webhook');
const pingExample = { ...deliveryExample, export_id: null, type: 'ping', status: 'pending', attempts: [] };

/** Endpoints that are told of exports, and what they were told. */
export const webhookPaths = (): Paths => ({
  '/v1/webhooks': {
    post: {
      id: 'createWebhook',
      summary: 'Make a webhook',
      description: 'The secret is shown in this reply alone.',
      by: 'webhooks:manage',
      body: jsonBody('NewWebhook', { webhook: newWebhookExample, least: { url: 'https://example.com/hooks' } }),
      replies: {
        201: reply('The webhook', {
          schema: 'WebhookWithSecret',
          example: webhookWithSecretExample,
          headers: ['Location'],
        }),
      },
    },
    get: {
      id: 'listWebhooks',
      summary: 'List webhooks',
      by: 'webhooks:manage',
      parameters: paging,
      replies: { 200: reply('One page', { schema: 'WebhookPage', example: pageExample(webhookExample) }) },
    },
  },
  '/v1/webhooks/{id}': {
    get: {
      id: 'getWebhook',
      summary: 'Read one webhook',
      by: 'webhooks:manage',
      parameters: [id],
      replies: { 200: reply('The webhook', { schema: 'Webhook', example: webhookExample }) },
    },
    patch: {
      id: 'changeWebhook',
      summary: 'Change a webhook',
      description: 'What is left out stays. `{"status": "enabled"}` brings a disabled one back.',
      by: 'webhooks:manage',
      parameters: [id],
      body: jsonBody('WebhookChanges', { enable: { status: 'enabled' } }),
      replies: { 200: reply('The webhook', { schema: 'Webhook', example: webhookExample }) },
    },
    delete: {
      id: 'deleteWebhook',
      summary: 'Delete a webhook',
      by: 'webhooks:manage',
      parameters: [id],
      replies: { 204: { description: 'Done' } },
    },
  },
  '/v1/webhooks/{id}/rotate-secret': {
    post: {
      id: 'rotateWebhookSecret',
      summary: 'Make a new secret',
      description: 'For 24 hours the old one signs as well.',
      by: 'webhooks:manage',
      parameters: [id],
      replies: {
        200: reply('With the new secret', { schema: 'WebhookWithSecret', example: webhookWithSecretExample }),
      },
    },
  },
  '/v1/webhooks/{id}/ping': {
    post: {
      id: 'pingWebhook',
      summary: 'Send a ping',
      description: 'It is tried once.',
      by: 'webhooks:manage',
      parameters: [id],
      replies: { 202: reply('The delivery, which is under way', { schema: 'Delivery', example: pingExample }) },
      errors: ['conflict'],
    },
  },
  '/v1/webhooks/{id}/deliveries': {
    get: {
      id: 'listWebhookDeliveries',
      summary: 'List what a webhook was told',
      by: 'webhooks:manage',
      parameters: [id, ...paging],
      replies: { 200: reply('One page', { schema: 'DeliveryPage', example: pageExample(deliveryExample) }) },
    },
  },
  '/v1/deliveries/{id}/redeliver': {
    post: {
      id: 'redeliver',
      summary: 'Send a message again',
      description: 'Under the same `webhook-id`, whatever became of it before.',
      by: 'webhooks:manage',
      parameters: [idOf('delivery')],
      replies: { 202: reply('The delivery, which is under way', { schema: 'Delivery', example: deliveryExample }) },
      errors: ['conflict'],
    },
  },
});
