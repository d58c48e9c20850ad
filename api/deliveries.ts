import { type Request, Router } from 'express';
import { notFound } from '../core/errors.ts';
import { isUuid } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { Queue } from '../core/queue.ts';
import { formatTimestamp } from '../core/times.ts';
import type { Database } from '../prisma/client.ts';
import { type Delivery, listExportDeliveries, redeliver } from '../prisma/deliveries.ts';
import { tenantOf, tenantRoute } from './authenticate.ts';
import { decodeCursor, idCursor, pageOf, readPage, refuseUnknownQuery } from './paging.ts';

export type DeliveryRoutesDeps = { database: Database; queue: Queue; log: Log };

/** Deliveries of one export, and sending one again. Those of one endpoint are in api/webhooks.ts. */
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
    ringFor(deps, delivery.id);
    response.status(202).json(presentDelivery(delivery));
  });

  return router;
}

/** Rings for a pending delivery without waiting: a queue that is down or hangs keeps no client; worker/sweep.ts rings later. */
export function ringFor({ queue, log }: Pick<DeliveryRoutesDeps, 'queue' | 'log'>, deliveryId: string): void {
  queue.ringDelivery(deliveryId).catch((err) => log.warn({ delivery: deliveryId, err }, 'the queue cannot be rung'));
}

/**
 * The id in the path.
 * @throws AppError not_found for what is no UUID: it cannot be the id of anything
 */
export function uuidOf(request: Request, what: string): string {
  const id = String(request.params.id);
  if (!isUuid(id)) throw notFound(what);
  return id;
}

/** `limit` and `cursor` of a list that runs by id, newest first. */
export function readIdPage(query: Record<string, unknown>): { limit: number; afterId: string | undefined } {
  refuseUnknownQuery(query, ['limit', 'cursor']);
  const { limit, cursor } = readPage(query);
  return { limit, afterId: cursor === undefined ? undefined : decodeCursor(idCursor, cursor).id };
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
