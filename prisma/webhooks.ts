import { notFound } from '../core/errors.ts';
import { matchesGlob } from '../core/glob.ts';
import type { IdPage } from '../core/id-page.ts';
import { newId } from '../core/ids.ts';
import type { WebhookPatch, WebhookRequest } from '../core/webhooks/webhooks.ts';
import type { Prisma, PrismaTransaction } from './client.ts';
import { newDelivery } from './deliveries.ts';
import type { Webhook } from './generated/client.ts';

export type { Webhook } from './generated/client.ts';

/** Hours that a replaced secret goes on signing beside the new one. */
const rotationHours = 24;

/** What lists and gets see: neither deleted ones nor those of one export. */
const visible = (tenantId: string, id?: string) => ({
  tenantId,
  exportId: null,
  deletedAt: null,
  ...(id ? { id } : {}),
});

/** @param secret sealed with core/secret-key.ts */
export function createWebhook(
  client: PrismaTransaction,
  tenantId: string,
  { include_download_url: includeDownloadUrl, ...request }: WebhookRequest,
  secret: Uint8Array<ArrayBuffer>,
): Promise<Webhook> {
  return client.webhook.create({
    data: { ...request, id: newId(), tenantId, includeDownloadUrl, secret, createdAt: new Date() },
  });
}

/** The webhook of one export: told of all that happens to this export, and of nothing else. Gives its id. */
export async function createExportWebhook(
  transaction: PrismaTransaction,
  {
    sealedSecret,
    ...webhook
  }: { tenantId: string; exportId: string; url: string; sealedSecret: Uint8Array<ArrayBuffer> },
): Promise<string> {
  const id = newId();
  await transaction.webhook.create({
    data: { ...webhook, id, events: ['*'], secret: sealedSecret, createdAt: new Date() },
  });
  return id;
}

/** What happened to an export. `data` is kept as it is now: all attempts send the same. */
export type ExportNews = {
  tenantId: string;
  exportId: string;
  type: `export.${string}`;
  data: object;
};

/**
 * Writes one pending delivery for each enabled webhook of the tenant that wants to know, and for the export's own. Must
 * run in the transaction of the news itself, so that neither is there without the other. Gives the deliveries' ids: the
 * caller enqueues them after the commit.
 */
export async function recordDeliveries(transaction: PrismaTransaction, news: ExportNews): Promise<string[]> {
  const { tenantId, exportId, type } = news;
  const webhooks = await transaction.webhook.findMany({
    where: { tenantId, deletedAt: null, status: 'enabled', OR: [{ exportId: null }, { exportId }] },
    select: { id: true, url: true, events: true },
  });
  const deliveries = webhooks
    .filter((webhook) => webhook.events.some((pattern) => matchesGlob(pattern, type)))
    .map(({ id, url }) => newDelivery({ tenantId, webhookId: id, url, exportId, type, data: news.data }));
  await transaction.delivery.createMany({ data: deliveries });
  return deliveries.map((delivery) => delivery.id);
}

/** Newest first; one more than `limit`, if there is one. */
export function listWebhooks(
  client: PrismaTransaction,
  tenantId: string,
  { limit, afterId }: IdPage,
): Promise<Webhook[]> {
  return client.webhook.findMany({
    where: { AND: [visible(tenantId), afterId ? { id: { lt: afterId } } : {}] },
    orderBy: { id: 'desc' },
    take: limit + 1,
  });
}

/** @throws AppError not_found */
export async function getWebhook(client: PrismaTransaction, tenantId: string, id: string): Promise<Webhook> {
  return one(await client.webhook.findFirst({ where: visible(tenantId, id) }));
}

/**
 * Changes what the patch names. A webhook that is disabled sends nothing: what was waiting for it ends as failed, and can
 * be redelivered once it is enabled.
 * @throws AppError not_found
 */
export function updateWebhook(prisma: Prisma, tenantId: string, id: string, patch: WebhookPatch): Promise<Webhook> {
  const { include_download_url: includeDownloadUrl, status, ...rest } = patch;
  const statusChange =
    status === undefined ? {} : { status, disabledReason: status === 'enabled' ? null : 'Disabled by a request.' };
  return prisma.$transaction(async (transaction) => {
    const changed = await transaction.webhook.updateManyAndReturn({
      where: visible(tenantId, id),
      data: { ...rest, ...statusChange, ...(includeDownloadUrl === undefined ? {} : { includeDownloadUrl }) },
    });
    if (status === 'disabled') await failPendingDeliveries(transaction, tenantId, id);
    return one(changed[0]);
  });
}

/** Ends it because of what its receiver said, whichever kind it is. The reason is shown to the tenant. */
export async function disableWebhook(
  transaction: PrismaTransaction,
  tenantId: string,
  id: string,
  reason: string,
): Promise<void> {
  await transaction.webhook.updateMany({
    where: { id, tenantId, status: 'enabled' },
    data: { status: 'disabled', disabledReason: reason },
  });
  await failPendingDeliveries(transaction, tenantId, id);
}

/**
 * Takes it out of every list; the row stays for its deliveries' sake. What was waiting for it ends as failed.
 * @throws AppError not_found
 */
export async function deleteWebhook(prisma: Prisma, tenantId: string, id: string): Promise<void> {
  await prisma.$transaction(async (transaction) => {
    const { count } = await transaction.webhook.updateMany({
      where: visible(tenantId, id),
      data: { deletedAt: new Date() },
    });
    if (count === 0) throw notFound('webhook');
    await failPendingDeliveries(transaction, tenantId, id);
  });
}

/**
 * Puts a new secret in; the one it replaces signs beside it for 24 hours. Of two rotations in that time the first secret
 * ends with the second.
 * @throws AppError not_found
 */
export function rotateWebhookSecret(
  prisma: Prisma,
  tenantId: string,
  id: string,
  sealedSecret: Uint8Array<ArrayBuffer>,
): Promise<Webhook> {
  return prisma.$transaction(async (transaction) => {
    // In SQL, so that of two rotations at once neither loses the other's secret.
    await transaction.$executeRaw`
      update webhooks set previous_secret = secret, secret = ${sealedSecret},
        previous_secret_expires_at = clock_timestamp() + make_interval(hours => ${rotationHours})
      where id = ${id}::uuid and tenant_id = ${tenantId}::uuid and export_id is null and deleted_at is null`;
    return getWebhook(transaction, tenantId, id);
  });
}

async function failPendingDeliveries(transaction: PrismaTransaction, tenantId: string, webhookId: string) {
  await transaction.delivery.updateMany({
    where: { tenantId, webhookId, status: 'pending' },
    data: { status: 'failed', nextAttemptAt: null },
  });
}

function one(webhook: Webhook | null | undefined): Webhook {
  if (!webhook) throw notFound('webhook');
  return webhook;
}
