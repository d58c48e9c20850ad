import { AppError, notFound } from '../core/errors.ts';
import type { IdPage } from '../core/id-page.ts';
import { newId } from '../core/ids.ts';
import { databaseTime, type Prisma, type PrismaTransaction } from './client.ts';
import type { Delivery } from './generated/client.ts';

export type { Delivery } from './generated/client.ts';

const pendingAt = (now: Date) => ({ status: 'pending' as const, tries: 0, nextAttemptAt: now, claimed: false });

/** Writes the delivery of a ping; the caller enqueues it. */
export async function recordPing(
  client: PrismaTransaction,
  webhook: { id: string; tenantId: string; url: string },
): Promise<Delivery> {
  const { id, tenantId, url } = webhook;
  return client.delivery.create({
    data: newDelivery({
      tenantId,
      webhookId: id,
      url,
      exportId: null,
      type: 'ping',
      data: JSON.stringify({ webhook_id: id }),
      now: await databaseTime(client),
    }),
  });
}

/** A delivery that is due at once, `now` by the clock of the database; its message is its own `data`, or the news that others share. */
export function newDelivery({
  now,
  ...delivery
}: { tenantId: string; webhookId: string; url: string; exportId: string | null; type: string; now: Date } & (
  | { data: string }
  | { newsId: string }
)) {
  return {
    ...delivery,
    id: newId(),
    attempts: [],
    createdAt: now,
    ...pendingAt(now),
  };
}

/** Newest first; one more than `limit`, if there is one. The caller has checked that the webhook is the tenant's. */
export const listWebhookDeliveries = (
  client: PrismaTransaction,
  tenantId: string,
  webhookId: string,
  page: IdPage,
): Promise<Delivery[]> => list(client, { tenantId, webhookId }, page);

/**
 * All deliveries about one export, to whichever webhook.
 * @throws AppError not_found when the tenant has no such export
 */
export async function listExportDeliveries(
  client: PrismaTransaction,
  tenantId: string,
  exportId: string,
  page: IdPage,
): Promise<Delivery[]> {
  const found = await client.export.findFirst({ where: { id: exportId, tenantId }, select: { id: true } });
  if (!found) throw notFound('export');
  return list(client, { tenantId, exportId }, page);
}

const list = (
  client: PrismaTransaction,
  where: { tenantId: string; webhookId?: string; exportId?: string },
  { limit, afterId }: IdPage,
) =>
  client.delivery.findMany({
    where: { ...where, ...(afterId ? { id: { lt: afterId } } : {}) },
    orderBy: { id: 'desc' },
    take: limit + 1,
  });

/**
 * Starts a new round of attempts, due at once, whatever became of the last one. The caller enqueues it.
 * @throws AppError not_found; conflict when its webhook is disabled or deleted
 */
export async function redeliver(prisma: Prisma, tenantId: string, id: string): Promise<Delivery> {
  const [delivery] = await prisma.delivery.updateManyAndReturn({
    where: { id, tenantId, webhook: { status: 'enabled', deletedAt: null } },
    data: pendingAt(await databaseTime(prisma)),
  });
  if (delivery) return delivery;
  const found = await prisma.delivery.findFirst({ where: { id, tenantId }, include: { webhook: true } });
  if (!found) throw notFound('delivery');
  throw found.webhook.deletedAt
    ? new AppError('conflict', 'The webhook of this delivery is deleted.')
    : webhookDisabled();
}

/** The 409 for everything that a disabled webhook does not do. */
export const webhookDisabled = (): AppError =>
  new AppError('conflict', 'The webhook is disabled. Enable it first: PATCH /v1/webhooks/:id {"status": "enabled"}.');

/** Ids of pending deliveries that were due before `before`: their job was lost, or their worker. Longest due first. */
export async function dueDeliveries(prisma: Prisma, before: Date, limit: number): Promise<string[]> {
  const due = await prisma.delivery.findMany({
    where: { status: 'pending', nextAttemptAt: { lt: before } },
    orderBy: { nextAttemptAt: 'asc' },
    take: limit,
    select: { id: true },
  });
  return due.map((delivery) => delivery.id);
}
