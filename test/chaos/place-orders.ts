import { setTimeout as wait } from 'node:timers/promises';
import type { ApiClient, Reply } from './api-client.ts';
import type { Order } from './orders.ts';

const laterMs = 3_000;

/**
 * Asks for all exports, each at its time, and for the end of those that are to be canceled.
 * @returns what APIs answered that they must not
 */
export async function placeOrders(client: ApiClient, orders: readonly Order[]): Promise<string[]> {
  const mistakes: string[] = [];
  await Promise.all(
    orders.map(async (order) => {
      await wait(order.postAfterMs);
      try {
        await placeOrder(client, order);
      } catch (error) {
        mistakes.push(`${order.idempotencyKey}: ${(error as Error).message}`);
      }
    }),
  );
  return mistakes;
}

async function placeOrder(client: ApiClient, order: Order): Promise<void> {
  const post = () => postOrder(client, order);
  const ids = await Promise.all(order.repeat === 'at once' ? [post(), post()] : [post()]);
  order.id = ids[0];
  await Promise.all([cancel(client, order), repeat()]);
  if (new Set(ids).size > 1) throw new Error(`one Idempotency-Key made ${new Set(ids).size} exports: ${ids}`);

  async function repeat() {
    if (order.repeat !== 'later') return;
    await wait(laterMs);
    ids.push(await post());
  }
}

async function postOrder(client: ApiClient, { tenant, idempotencyKey, request }: Order): Promise<string> {
  const headers = { 'idempotency-key': idempotencyKey };
  const reply = await client.until(tenant.key, '/v1/exports', { json: request, headers });
  if (reply.status !== 202) throw new Error(`POST was answered ${described(reply)}`);
  return reply.body.id;
}

/** One that was canceled by a request whose reply was lost answers 409 to the next: so it is looked at. */
async function cancel(client: ApiClient, order: Order): Promise<void> {
  if (order.cancelAfterMs === undefined) return;
  await wait(order.cancelAfterMs);
  const path = `/v1/exports/${order.id}`;
  const reply = await client.until(order.tenant.key, `${path}/cancel`, { method: 'POST' });
  if (reply.status !== 202 && reply.status !== 409) throw new Error(`cancel was answered ${described(reply)}`);
  const isCanceled = async () => (await client.until(order.tenant.key, path)).body.status === 'canceled';
  order.canceled = reply.status === 202 || (await isCanceled()) ? 'accepted' : 'too late';
}

const described = ({ status, body }: Reply): string => `${status} ${body?.detail ?? ''}`;
