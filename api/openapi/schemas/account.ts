import { z } from 'zod';
import { scopes } from '../../../core/access/api-keys.ts';
import { csvFormulas } from '../../../core/exports/exports.ts';
import { limitNames } from '../../../core/exports/plan-limits.ts';
import { plans } from '../../../core/tenants.ts';
import { TenantStatus } from '../../../prisma/tenants.ts';
import { count, timestamp, uuid } from './reply-parts.ts';

/** A tenant, as the API shows it. */
export const tenantSchema = z.object({
  id: uuid,
  name: z.string(),
  plan: z.enum(plans),
  region: z.string(),
  external_id: z.string().nullable(),
  csv_formulas: z.enum(csvFormulas),
  status: z.enum(TenantStatus).meta({ description: 'One that is being deleted is gone once everything of it is' }),
  retention_days: z.int().min(1).nullable(),
  legal_hold: z.boolean(),
  created_at: timestamp,
});
export type TenantReply = z.output<typeof tenantSchema>;

/** A key, as the API shows it: never the key itself. */
export const apiKeySchema = z.object({
  id: uuid,
  name: z.string(),
  scopes: z.array(z.enum(scopes)),
  tenant_id: uuid.nullable().meta({ description: 'Null for a management key' }),
  prefix: z.string(),
  created_at: timestamp,
  expires_at: timestamp.nullable(),
  revoked_at: timestamp.nullable(),
});

/** The one reply that holds the key. */
export const newApiKeyReplySchema = apiKeySchema.extend({
  key: z
    .string()
    .regex(/^lf_(sk|admin)_[0-9A-Za-z]{36}$/)
    .meta({ description: 'Shown here and never again' }),
});

/** One limit, how much of it is used, and when it begins anew. */
export const limitSchema = z.object({
  limit: count.nullable().meta({ description: 'Null is without limit' }),
  used: count,
  remaining: count.nullable(),
  reset: count.nullable().meta({ description: 'Seconds since 1970' }),
  reset_at: timestamp.nullable(),
});
export type LimitReply = z.output<typeof limitSchema>;

const planLimits = Object.fromEntries(limitNames.map((name) => [name, limitSchema.optional()]));

/** What GET /v1/limits answers; the limits of the plan are there when the request is about a tenant. */
export const limitsSchema = z.object({
  plan: z.enum(plans).nullable(),
  resources: z.object({ requests_per_minute: limitSchema, ...planLimits }),
  rate: limitSchema,
});

/** What GET /v1/regions lists. */
export const regionSchema = z.object({ region: z.string(), base_url: z.url(), current: z.boolean() });

/** What POST /auth/vendor answers. */
export const tokenSchema = z.object({ token: z.string(), expiresIn: count.meta({ description: 'Seconds' }) });
