import { invalid } from '../../../core/errors.ts';
import type { ExportRequest } from '../../../core/exports/exports.ts';
import type { WebhookGuard } from '../../../core/webhooks/webhook-address.ts';
import { newWebhookSecret } from '../../../core/webhooks/webhooks.ts';

/** The secret of the export's own webhook, made if none was brought. @throws the 422 for an address that will not do */
export async function webhookSecret(guard: WebhookGuard, { webhook }: ExportRequest): Promise<string | undefined> {
  if (!webhook) return undefined;
  const mistake = await guard.mistakeIn(webhook.url);
  if (mistake) throw invalid([{ path: 'webhook.url', message: mistake }]);
  return webhook.secret ?? newWebhookSecret();
}
