import { randomBytes, randomUUID } from 'node:crypto';
import type { Random } from './random-numbers.ts';
import type { ChaosTenant } from './tenants.ts';

/** Which events an export is to hold, and in which order: what the request says, in words of the test's own. */
export type Selection = {
  after: number;
  /** Missing for all there are when the export is made. */
  through?: number;
  action?: string;
  order: 'by time' | 'latest first' | 'by target, backwards';
};

/** An export to be asked for, and what became of that. */
export type Order = {
  tenant: ChaosTenant;
  idempotencyKey: string;
  request: { format: string; compression: string; [member: string]: unknown };
  selection: Selection;
  hook?: { path: string; secret: string };
  /** Milliseconds since the beginning. */
  postAfterMs: number;
  /** With the same Idempotency-Key: to two APIs at the same moment, or to another one later. */
  repeat: 'never' | 'at once' | 'later';
  /** Milliseconds since it was made; missing for most. */
  cancelAfterMs?: number;
  id?: string;
  /** What the cancel was answered. */
  canceled?: 'accepted' | 'too late';
};

const orders: Selection['order'][] = ['by time', 'latest first', 'by target, backwards'];
const sorts = {
  'by time': undefined,
  'latest first': [{ field: 'sequence_number', direction: 'desc' }],
  'by target, backwards': [{ field: 'target.id', direction: 'desc' }],
};

export type OrderPlan = { exports: number; overMs: number; hookUrl: string };

/** So many exports of all sizes and kinds, spread over the time and the tenants. */
export function planOrders(random: Random, tenants: readonly ChaosTenant[], plan: OrderPlan): Order[] {
  return Array.from({ length: plan.exports }, (_, index) => {
    const own = random.fork(`order ${index}`);
    return planOrder(own, own.pick(tenants), { ...plan, index });
  }).sort((a, b) => a.postAfterMs - b.postAfterMs);
}

function planOrder(
  random: Random,
  tenant: ChaosTenant,
  { overMs, hookUrl, index }: OrderPlan & { index: number },
): Order {
  const selection = select(random, tenant.rows);
  const { after, through, action, order } = selection;
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const path = `/hook/export-${index}`;
  const hook = random.chance(0.3) ? { path, secret } : undefined;
  return {
    tenant,
    idempotencyKey: `order-${index}`,
    selection,
    hook,
    request: {
      format: random.pick(['csv', 'json', 'ndjson']),
      compression: random.pick(['none', 'none', 'gzip', 'zstd']),
      filter: { after_sequence: after, through_sequence: through, action },
      sort: sorts[order],
      webhook: hook && { url: new URL(path, hookUrl).href, secret },
    },
    postAfterMs: random.integer(0, overMs),
    repeat: random.pick(['never', 'never', 'at once', 'later'] as const),
    cancelAfterMs: random.chance(0.12) ? random.integer(0, 3_000) : undefined,
  };
}

/** Two fifths of them small, a fifth of middle size, the rest up to all there is. */
function select(random: Random, rows: number): Selection {
  const size = random.integer(1, 100);
  const [least, most] = size <= 40 ? [10, 500] : size <= 60 ? [500, 5_000] : [5_000, rows];
  const order = random.chance(0.7) ? 'by time' : random.pick(orders);
  if (size > 95) return { after: 0, order };
  if (size > 90) return { after: 0, through: rows, action: 'user.login', order };
  const wanted = Math.min(rows, random.integer(least!, Math.max(least!, most!)));
  const after = random.integer(0, rows - wanted);
  return { after, through: after + wanted, order };
}

/** So many equal exports of each tenant, all at once: CSV of what the tenant had when it was made. */
export const equalOrders = (tenants: readonly ChaosTenant[], each: number): Order[] =>
  tenants.flatMap((tenant) =>
    Array.from(
      { length: each },
      (): Order => ({
        tenant,
        idempotencyKey: randomUUID(),
        request: { format: 'csv', compression: 'none', filter: { through_sequence: tenant.rows } },
        selection: { after: 0, through: tenant.rows, order: 'by time' },
        postAfterMs: 0,
        repeat: 'never',
      }),
    ),
  );
