import type { Prisma } from './client.ts';
import { prismaSql } from './client.ts';
import type { Delivery, Webhook } from './generated/client.ts';
import { disableWebhook } from './webhooks.ts';

/** One attempt, as the API shows it. */
export type Attempt = {
  at: string;
  status_code: number | null;
  duration_ms: number;
  error: string | null;
  response_excerpt: string | null;
};

/** Attempts that a delivery remembers: the last ones, as redeliveries could add them for ever. */
const keptAttempts = 50;

/** The right to make the next attempt. `token` is what recordAttempt is guarded by. */
export type ClaimedDelivery = Omit<Delivery, 'data'> & { data: string; webhook: Webhook; token: string };

/** Milliseconds by which a job may come early: queues round, and their clocks differ a little from the database's. */
const earlyMs = 1_000;

/** Deliveries of one tenant that are made at a time: slow receivers of one must not use up the workers of all. */
const tenantLimit = 10;

/**
 * Takes a delivery for `leaseMs`, if it is due: not if it has ended, waits for its next attempt, is another worker's, or
 * its tenant has as many under way as it may; whoever ends one of those goes on with nextDueDelivery(). A lease that runs
 * out, because its worker died, makes it due again and spends no attempt.
 *
 * The database's clock decides, so that workers whose clocks differ cannot hold it both. The first attempt of a round is due at
 * once, whatever time the process wrote that made it.
 */
export async function claimDelivery(prisma: Prisma, id: string, leaseMs: number): Promise<ClaimedDelivery | undefined> {
  const [claim] = await prisma.$queryRaw<{ token: string }[]>`
    update deliveries d
    set next_attempt_at = clock_timestamp() + make_interval(secs => ${leaseMs / 1000}), claimed = true, url = w.url
    from webhooks w
    where d.id = ${id}::uuid and w.id = d.webhook_id and d.status = 'pending'
      and (d.tries = 0 and not d.claimed
        or d.next_attempt_at <= clock_timestamp() + make_interval(secs => ${earlyMs / 1000}))
      and (select count(*) from deliveries o where o.claimed and o.tenant_id = d.tenant_id
        and o.next_attempt_at > clock_timestamp()) < ${tenantLimit}
    returning d.next_attempt_at::text as token`;
  if (!claim) return undefined;
  const delivery = await prisma.delivery.findUnique({ where: { id }, include: { webhook: true, news: true } });
  if (!delivery) return undefined;
  const { news, ...claimed } = delivery;
  return { ...claimed, data: delivery.data ?? news!.data, token: claim.token };
}

/** The tenant's delivery that has been due longest, for who has just ended another one of it: its job may have been in vain. */
export async function nextDueDelivery(prisma: Prisma, tenantId: string): Promise<string | undefined> {
  const [due] = await prisma.$queryRaw<{ id: string }[]>`
    select id::text from deliveries
    where tenant_id = ${tenantId}::uuid and status = 'pending'
      and (tries = 0 and not claimed or next_attempt_at <= clock_timestamp())
    order by next_attempt_at limit 1`;
  return due?.id;
}

/** What follows from an attempt: the end, or the next one after a wait. */
export type Outcome =
  | { status: 'delivered' }
  | { status: 'failed'; disable?: string }
  | { status: 'pending'; delayMs: number };

/**
 * Writes the attempt down, and moves the delivery on if the claim still holds. One that does not (the lease ran out, a
 * redelivery or the webhook's end came between) leaves only its entry in the list; but what was delivered is delivered.
 * `disable` ends the webhook with that reason. Gives whether the delivery was moved.
 */
export function recordAttempt(
  prisma: Prisma,
  claim: ClaimedDelivery,
  attempt: Attempt,
  outcome: Outcome,
): Promise<boolean> {
  const delaySeconds = outcome.status === 'pending' ? outcome.delayMs / 1000 : null;
  return prisma.$transaction(async (transaction) => {
    const moved = await prismaSql(transaction)<{ id: string }>(
      `update deliveries set status = $3::delivery_status, tries = tries + 1, claimed = false,
         next_attempt_at = clock_timestamp() + make_interval(secs => $4::float8)
       where id = $1::uuid and (status = 'pending' and next_attempt_at = $2::timestamptz
         or status = 'failed' and $3 = 'delivered')
       returning id::text`,
      [claim.id, claim.token, outcome.status, delaySeconds],
    );
    await prismaSql(transaction)(
      `update deliveries set attempts = (
         select json_agg(attempt order by n) from (
           select attempt, n from json_array_elements(attempts) with ordinality as made(attempt, n)
           union all select $2::json, json_array_length(attempts) + 1
           order by n desc limit $3) kept)
       where id = $1::uuid`,
      [claim.id, JSON.stringify(attempt), keptAttempts],
    );
    if (outcome.status === 'failed' && outcome.disable) {
      await disableWebhook(transaction, claim.tenantId, claim.webhookId, outcome.disable);
    }
    return moved.length > 0;
  });
}

/** Ends a delivery whose webhook is disabled or deleted, without an attempt. */
export async function dropDelivery(prisma: Prisma, id: string): Promise<void> {
  await prisma.delivery.updateMany({
    where: { id, status: 'pending' },
    data: { status: 'failed', nextAttemptAt: null, claimed: false },
  });
}
