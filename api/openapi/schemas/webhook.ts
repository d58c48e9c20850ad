import { z } from 'zod';
import { webhookEventTypes, webhookStatuses } from '../../../core/webhooks/webhooks.ts';
import type { Attempt } from '../../../prisma/delivery-attempts.ts';
import { erasureSchema } from './erasure.ts';
import { exportSchema } from './export.ts';
import { pageOf, timestamp, uuid } from './reply-parts.ts';

/** A webhook, as the API shows it. */
export const webhookSchema = z.object({
  id: uuid,
  url: z.string(),
  events: z.array(z.string()),
  description: z.string().nullable(),
  include_download_url: z.boolean(),
  status: z.enum(webhookStatuses),
  disabled_reason: z.string().nullable(),
  created_at: timestamp,
});

/** A webhook with its secret, for whoever has just made it or rotated the secret. */
export const webhookWithSecretSchema = webhookSchema.extend({
  secret: z
    .string()
    .regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/)
    .meta({ description: 'Shown here and never again' }),
});

const attemptSchema = z.object({
  at: timestamp,
  status_code: z.int().nullable(),
  duration_ms: z.number().min(0),
  error: z.string().nullable(),
  response_excerpt: z.string().nullable(),
}) satisfies z.ZodType<Attempt>;

/** One message to one webhook, and what came of it. */
export const deliverySchema = z.object({
  id: uuid.meta({ description: 'The header `webhook-id` of every attempt' }),
  webhook_id: uuid,
  export_id: uuid.nullable(),
  type: z.enum(webhookEventTypes),
  url: z.string(),
  status: z.enum(['pending', 'delivered', 'failed']),
  attempts: z.array(attemptSchema),
  next_attempt_at: timestamp.nullable(),
});

export const webhookPageSchema = pageOf(webhookSchema);
export const deliveryPageSchema = pageOf(deliverySchema);

/** What a webhook gets (worker/post-webhook.ts). */
export const exportMessageSchema = z.object({
  id: uuid,
  type: z.enum(webhookEventTypes).exclude(['erasure.completed', 'ping']),
  timestamp,
  data: exportSchema,
});
export const erasureMessageSchema = z.object({
  id: uuid,
  type: z.literal('erasure.completed'),
  timestamp,
  data: erasureSchema,
});
export const pingMessageSchema = z.object({
  id: uuid,
  type: z.literal('ping'),
  timestamp,
  data: z.object({ webhook_id: uuid }),
});
