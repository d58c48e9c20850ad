import { Router } from 'express';
import type { Log } from '../../core/log.ts';
import type { Queue } from '../../core/queue/queue.ts';
import { formatTimestamp } from '../../core/times.ts';
import type { Database } from '../../prisma/client.ts';
import { type Delivery, listExportDeliveries, redeliver } from '../../prisma/deliveries.ts';
import { tenantOf, tenantRoute } from '../access/tenant-route.ts';
import { pageOf, readIdPage, refuseUnknownQuery } from '../http/paging.ts';
import { uuidOf } from '../http/path-id.ts';
import { enqueueDelivery } from './enqueue.ts';

export type DeliveryRoutesDeps = { database: Database; queue: Queue; log: Log };

/** Deliveries of one export, and sending one again. Those of one endpoint are in api/v1/webhooks.ts. */
export function deliveryRoutes(deps: DeliveryRoutesDeps): Router {
  const { prisma } = deps.database;
  const router = Router();

  router.get('/exports/:id/deliveries', tenantRoute('export'), async (request, response) => {
    const page = readIdPage(request.query);
    const rows = await listExportDeliveries(prisma, tenantOf(response).id, uuidOf(request, 'export'), page);
    response.json(presentDeliveries(rows, page.limit));
  });

  router.post('/deliveries/:id/redeliver', tenantRoute('webhooks:manage'), async (request, response) => {
    refuseUnknownQuery(request.query, []);
    const delivery = await redeliver(prisma, tenantOf(response).id, uuidOf(request, 'delivery'));
    enqueueDelivery(deps, delivery.id);
    response.status(202).json(presentDelivery(delivery));
  });

  return router;
}

/** One page of deliveries, out of up to `limit` + 1 rows. */
export function presentDeliveries(rows: Delivery[], limit: number) {
  const { data, meta } = pageOf(rows, limit, ({ id }) => ({ id }));
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
