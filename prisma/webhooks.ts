import { notFound } from '../core/errors.ts';
import { type PlanLimits, refuseBeyond } from '../core/exports/plan-limits.ts';
import { matchesGlob } from '../core/glob.ts';
import type { IdPage } from '../core/id-page.ts';
import { newId } from '../core/ids.ts';
import type { WebhookPatch, WebhookRequest } from '../core/webhooks/webhooks.ts';
import { databaseTime, type Prisma, type PrismaTransaction } from './client.ts';
import { type ControlRecord, recorded } from './control-log.ts';
import { newDelivery } from './deliveries.ts';
import type { AuditContext } from './exports/audit.ts';
import type { Webhook } from './generated/client.ts';
import { countHoldingsLocked } from './holdings.ts';

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

/** @param secret sealed with core/secret-key.ts @throws AppError plan_limit_exceeded */
export function createWebhook(
  prisma: Prisma,
  tenantId: string,
  { include_download_url: includeDownloadUrl, ...request }: WebhookRequest,
  secret: Uint8Array<ArrayBuffer>,
  { by, limits }: { by?: AuditContext; limits?: PlanLimits } = {},
): Promise<Webhook> {
  const id = newId();
  return recorded(prisma, { log: tenantId, by }, async (tx, record) => {
    if (limits) {
      const { webhooks } = await countHoldingsLocked(tx, tenantId);
      refuseBeyond(limits, { webhooks }, Date.now());
    }
    record(aboutWebhook('created', id, { url: request.url, events: request.events }));
    return tx.webhook.create({ data: { ...request, id, tenantId, includeDownloadUrl, secret, createdAt: new Date() } });
  });
}

const aboutWebhook = (verb: string, id: string, metadata = {}): ControlRecord => ({
  action: `logferry.webhook.${verb}`,
  target: { type: 'webhook', id },
  metadata,
});

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

/** What happened to an export. `data` is kept as it is now, once: all attempts of all webhooks send the same. */
export type ExportNews = {
  tenantId: string;
  /** Null for what is about no export. */
  exportId: string | null;
  type: `export.${string}` | 'erasure.completed';
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
    where: {
      tenantId,
      deletedAt: null,
      status: 'enabled',
      OR: [{ exportId: null }, ...(exportId === null ? [] : [{ exportId }])],
    },
    select: { id: true, url: true, events: true },
  });
  const listening = webhooks.filter((webhook) => webhook.events.some((pattern) => matchesGlob(pattern, type)));
  if (listening.length === 0) return [];
  const newsId = newId();
  const now = await databaseTime(transaction);
  await transaction.news.create({ data: { id: newsId, tenantId, data: JSON.stringify(news.data) } });
  const deliveries = listening.map(({ id, url }) =>
    newDelivery({ tenantId, webhookId: id, url, exportId, type, newsId, now }),
  );
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
export function updateWebhook(
  prisma: Prisma,
  tenantId: string,
  { id, by }: { id: string; by?: AuditContext },
  patch: WebhookPatch,
): Promise<Webhook> {
  const { include_download_url: includeDownloadUrl, status, ...rest } = patch;
  const statusChange =
    status === undefined ? {} : { status, disabledReason: status === 'enabled' ? null : 'Disabled by a request.' };
  return recorded(prisma, { log: tenantId, by }, async (transaction, record) => {
    const changed = await transaction.webhook.updateManyAndReturn({
      where: visible(tenantId, id),
      data: { ...rest, ...statusChange, ...(includeDownloadUrl === undefined ? {} : { includeDownloadUrl }) },
    });
    if (status === 'disabled') await failPendingDeliveries(transaction, tenantId, id);
    const webhook = one(changed[0]);
    record(aboutWebhook('changed', id, patch));
    return webhook;
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
export async function deleteWebhook(prisma: Prisma, tenantId: string, id: string, by?: AuditContext): Promise<void> {
  await recorded(prisma, { log: tenantId, by }, async (transaction, record) => {
    const { count } = await transaction.webhook.updateMany({
      where: visible(tenantId, id),
      data: { deletedAt: new Date() },
    });
    if (count === 0) throw notFound('webhook');
    record(aboutWebhook('deleted', id));
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
  { id, by }: { id: string; by?: AuditContext },
  sealedSecret: Uint8Array<ArrayBuffer>,
): Promise<Webhook> {
  return recorded(prisma, { log: tenantId, by }, async (transaction, record) => {
    // In SQL, so that of two rotations at once neither loses the other's secret.
    await transaction.$executeRaw`
      update webhooks set previous_secret = secret, secret = ${sealedSecret},
        previous_secret_expires_at = clock_timestamp() + make_interval(hours => ${rotationHours})
      where id = ${id}::uuid and tenant_id = ${tenantId}::uuid and export_id is null and deleted_at is null`;
    const webhook = await getWebhook(transaction, tenantId, id);
    record(aboutWebhook('secret_rotated', id));
    return webhook;
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
