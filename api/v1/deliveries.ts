import type { RequestHandler } from 'express';
import type { IdPage } from '../../core/id-page.ts';
import type { Log } from '../../core/log.ts';
import type { Queue } from '../../core/queue/queue.ts';
import { formatTimestamp } from '../../core/times.ts';
import type { Database } from '../../prisma/client.ts';
import { type Delivery, redeliver } from '../../prisma/deliveries.ts';
import { tenantOf } from '../access/tenant-route.ts';
import { idPageOf } from '../http/paging.ts';
import { uuidOf } from '../http/path-id.ts';
import { reply } from '../openapi/described.ts';
import { deliveryExample } from '../openapi/examples.ts';
import { idOf } from '../openapi/parameters.ts';
import type { Route } from '../route.ts';
import { enqueueDelivery } from './enqueue.ts';

type Deps = { database: Database; queue: Queue; log: Log };

/** Sends a delivery again. They are listed with the export or the webhook that they are about. */
export const redeliverOne: Route<Deps> = {
  id: 'redeliver',
  method: 'post',
  path: '/v1/deliveries/:id/redeliver',
  summary: 'Send a message again',
  description: 'Under the same `webhook-id`, whatever became of it before.',
  by: 'webhooks:manage',
  parameters: [idOf('delivery')],
  replies: { 202: reply('The delivery, which is under way', { schema: 'Delivery', example: deliveryExample }) },
  errors: ['conflict'],
  handle: postRedeliver,
};

function postRedeliver(deps: Deps): RequestHandler {
  return async (request, response) => {
    const delivery = await redeliver(deps.database.prisma, tenantOf(response).id, uuidOf(request, 'delivery'));
    enqueueDelivery(deps, delivery.id);
    response.status(202).json(presentDelivery(delivery));
  };
}

/** One page of deliveries, out of the rows that were read for it. */
export function presentDeliveries(rows: Delivery[], page: IdPage) {
  const { data, meta } = idPageOf(rows, page);
  return { data: data.map(presentDelivery), meta };
}

/** A delivery as the API shows it. */
export const presentDelivery = (delivery: Delivery) => ({
  id: delivery.id,
  webhook_id: delivery.webhookId,
  export_id: delivery.exportId,
  type: delivery.type,
  url: delivery.url,
  status: delivery.status,
  attempts: delivery.attempts,
  next_attempt_at: delivery.nextAttemptAt && formatTimestamp(delivery.nextAttemptAt),
});
