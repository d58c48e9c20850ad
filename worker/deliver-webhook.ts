import { parseJson } from '../core/json/json.ts';
import type { ByteBudget } from '../core/limits/byte-budget.ts';
import { sharesOf } from '../core/limits/memory.ts';
import type { Log, LogFields } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Queue } from '../core/queue/queue.ts';
import type { SecretKey } from '../core/secret-key.ts';
import { formatTimestamp } from '../core/times.ts';
import type { WebhookGuard } from '../core/webhooks/webhook-address.ts';
import { nextDelayMs } from '../core/webhooks/webhooks.ts';
import packageJson from '../package.json' with { type: 'json' };
import { databaseTime, type Prisma } from '../prisma/client.ts';
import {
  type ClaimedDelivery,
  claimDelivery,
  dropDelivery,
  nextDueDelivery,
  type Outcome,
  recordAttempt,
} from '../prisma/delivery-attempts.ts';
import { recordLinks } from '../prisma/exports/link-log.ts';
import { type Link, receiptUrl } from '../prisma/exports/view.ts';
import { type PostResult, postWebhook } from './post-webhook.ts';
import { signWebhook } from './sign-webhook.ts';

/** Milliseconds that a receiver has for its answer. */
const defaultDeadlineMs = 15_000;
/** Milliseconds past the deadline after which a silent worker counts as dead and the attempt is another's. */
const leaseMarginMs = 30_000;

export type DeliveryDependencies = {
  prisma: Prisma;
  queue: Pick<Queue, 'enqueueDelivery'>;
  secretKey: Pick<SecretKey, 'open'>;
  guard: WebhookGuard;
  /** A fresh link to the file of an export that is completed at this moment, else undefined. */
  linkFor(exportId: string): Promise<Link | undefined>;
  /** The memory that messages under way may take. */
  memory: ByteBudget;
  /** Of the API, without a slash at its end. */
  publicUrl: string;
  log: Log;
  metrics: Metrics;
  deadlineMs?: number;
  /** For tests. Else the database's clock stamps the attempts: receivers refuse a stamp that is minutes off. */
  now?: () => Date;
  /** See PostOptions. */
  certificateAuthorities?: string;
  /** Cuts attempts short that a stopping process cannot wait for; the claim lapses, and no attempt is spent. */
  signal?: AbortSignal;
};

/** Answers a job: makes the attempt of this delivery, then those of its tenant's that were kept waiting by it. */
export async function handleDelivery(dependencies: DeliveryDependencies, deliveryId: string): Promise<void> {
  let next: string | undefined = deliveryId;
  while (next && !dependencies.signal?.aborted) {
    const tenantId = await deliverWebhook(dependencies, next);
    next = tenantId && (await nextDueDelivery(dependencies.prisma, tenantId));
  }
}

/**
 * Makes the attempt that is due for a delivery, if one is, and enqueues the next. Gives whose it was, if it was made.
 *
 * May be called at any time and by several workers at once: the row says who sends. What a receiver does wrong ends in
 * the row; only a failure of our own (the database, mostly) is thrown, and then the attempt is due again when the claim
 * lapses.
 */
export async function deliverWebhook(
  dependencies: DeliveryDependencies,
  deliveryId: string,
): Promise<string | undefined> {
  const { prisma, deadlineMs = defaultDeadlineMs, now } = dependencies;
  const claim = await claimDelivery(prisma, deliveryId, deadlineMs + leaseMarginMs);
  if (!claim) return undefined;
  const { tenantId } = claim;
  if (claim.webhook.deletedAt || claim.webhook.status === 'disabled') {
    await dropDelivery(prisma, deliveryId);
    return tenantId;
  }

  const at = now?.() ?? (await databaseTime(prisma));
  const result = await send(dependencies, claim, at);
  if (dependencies.signal?.aborted && result.error !== null) return undefined;
  const outcome = outcomeOf(claim, result);
  const attempt = {
    at: formatTimestamp(at),
    status_code: result.statusCode,
    duration_ms: result.durationMs,
    error: result.error,
    response_excerpt: result.excerpt,
  };
  const moved = await recordAttempt(prisma, claim, attempt, outcome);
  meterAttempt(dependencies.metrics, result, moved ? outcome : undefined);
  const fields: LogFields = {
    delivery_id: deliveryId,
    tenant_id: tenantId,
    status_code: result.statusCode,
    err: result.cause,
  };
  dependencies.log.info(fields, `webhook attempt: ${outcome.status}`);
  if (moved && outcome.status === 'pending') await enqueueNext(dependencies, deliveryId, outcome.delayMs);
  return tenantId;
}

/** @param outcome what the attempt has made of the delivery, if it has moved it */
function meterAttempt(metrics: Metrics, { error, statusCode, durationMs }: PostResult, outcome?: Outcome): void {
  const result = error === null ? 'delivered' : statusCode === null ? 'unreachable' : 'refused';
  metrics.add('logferry_delivery_attempts_total', 1, { result });
  metrics.observe('logferry_delivery_attempt_seconds', durationMs / 1000);
  if (outcome && outcome.status !== 'pending') {
    metrics.add('logferry_deliveries_ended_total', 1, { outcome: outcome.status });
  }
}

/** Fails when there is no memory for the message for so long as a receiver has for its answer: the claim lapses, and no attempt is spent. */
async function send(dependencies: DeliveryDependencies, claim: ClaimedDelivery, at: Date): Promise<PostResult> {
  const { deadlineMs = defaultDeadlineMs } = dependencies;
  const body = await composeBody(dependencies, claim);
  const holding = dependencies.memory.open(sharesOf({ name: claim.tenantId }, dependencies.memory.limitBytes));
  try {
    await holding.take('deliveries', Buffer.byteLength(body), deadlineMs);
    return await post(dependencies, claim, { at, body });
  } finally {
    holding.end();
  }
}

async function post(
  dependencies: DeliveryDependencies,
  claim: ClaimedDelivery,
  { at, body }: { at: Date; body: string },
): Promise<PostResult> {
  const { guard, deadlineMs = defaultDeadlineMs, certificateAuthorities, signal } = dependencies;
  const signature = signWebhook({ id: claim.id, timestamp: at, body }, secretsOf(claim, dependencies.secretKey, at));
  const headers = {
    'content-type': 'application/json',
    'user-agent': `Logferry/${packageJson.version}`,
    ...signature,
  };
  return postWebhook({ url: claim.url, headers, body }, { guard, deadlineMs, certificateAuthorities, signal });
}

/** The link is made for this attempt: one from the first attempt would be dead by the last. */
async function composeBody(
  { prisma, linkFor, publicUrl }: DeliveryDependencies,
  claim: ClaimedDelivery,
): Promise<string> {
  const { id, tenantId, type, exportId, createdAt, webhook } = claim;
  const wantsLink = type === 'export.completed' && exportId !== null && webhook.includeDownloadUrl;
  const link = wantsLink ? await linkFor(exportId) : undefined;
  if (link) await recordLinks(prisma, { tenantId, exportIds: [exportId!], by: webhookAsActor(claim) });
  const told = parseJson(claim.data) as { filter?: object | null };
  // A filter that was too long to travel is to be had there.
  const where = told.filter === null && exportId !== null ? { url: `${publicUrl}/v1/exports/${exportId}` } : {};
  const receipt =
    type === 'export.completed' && exportId !== null ? { receipt_url: receiptUrl(publicUrl, exportId) } : {};
  const data = { ...told, ...where, ...link, ...receipt };
  return JSON.stringify({ id, type, timestamp: formatTimestamp(createdAt), data });
}

/** Whom a link is sent to, for the tenant's log. */
const webhookAsActor = ({ webhookId, url }: ClaimedDelivery) => ({
  actor: { id: webhookId, type: 'webhook', name: new URL(url).host },
  context: { ip: null, user_agent: null },
});

/** The secret, and the one before it as long as it still signs. */
function secretsOf({ webhook }: ClaimedDelivery, secretKey: Pick<SecretKey, 'open'>, at: Date): string[] {
  const { secret, previousSecret, previousSecretExpiresAt } = webhook;
  const previous = previousSecret && previousSecretExpiresAt && previousSecretExpiresAt > at ? [previousSecret] : [];
  return [secret, ...previous].map((sealed) => secretKey.open(sealed));
}

function outcomeOf(claim: ClaimedDelivery, { statusCode, error, retryAfterMs }: PostResult): Outcome {
  if (error === null) return { status: 'delivered' };
  if (statusCode === 410) return { status: 'failed', disable: 'The endpoint answered 410 Gone.' };
  const delayMs = nextDelayMs(claim.type, claim.tries + 1, retryAfterMs);
  return delayMs === undefined ? { status: 'failed' } : { status: 'pending', delayMs };
}

/** A job that fails is made up for by worker/sweep/sweep.ts. */
async function enqueueNext({ queue, log }: DeliveryDependencies, id: string, delayMs: number): Promise<void> {
  await queue
    .enqueueDelivery(id, { delayMs })
    .catch((err) => log.warn({ delivery_id: id, err }, 'the queue did not take a job'));
}
