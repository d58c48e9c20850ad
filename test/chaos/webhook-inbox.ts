import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { startWebhookReceiver, type WebhookReceiver } from '../webhook-receiver.ts';

const slowMs = 1_000;

/**
 * A receiver as there are many: of each ten messages one is refused the first time it comes, and one is answered late.
 * Which ones follows from their ids.
 */
export async function openInbox(): Promise<WebhookReceiver> {
  const seen = new Set<string>();
  return startWebhookReceiver(async (response) => {
    const id = String(response.req.headers['webhook-id']);
    const lot = createHash('sha256').update(id).digest()[0]! % 10;
    const isFirst = !seen.has(id);
    seen.add(id);
    if (lot === 1) await wait(slowMs);
    response.writeHead(lot === 0 && isFirst ? 500 : 204).end();
  });
}
