import { z } from 'zod';
import { severities } from '../../core/events.ts';
import { auditFields } from '../../core/frontegg/fields.ts';
import { count, uuid } from './reply-parts.ts';

const milliseconds = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const text = z.string().nullable();

/** An event as clients of Frontegg read it (core/frontegg/audit-view.ts); custom keys stand beside the known ones. */
export const auditSchema = z.looseObject({
  frontegg_id: uuid,
  tenantId: z.string(),
  vendorId: z.string(),
  createdAt: milliseconds,
  updatedAt: milliseconds,
  severity: z.enum(severities),
  action: z.string(),
  description: text,
  email: text,
  ip: text,
  userAgent: text,
  user: text,
  resource: text,
  actorId: text,
  environmentName: z.unknown(),
  json: z.unknown(),
});

export const auditPageSchema = z.object({ data: z.array(auditSchema), total: count });

/** What POST /audits takes; further keys are kept as they are. */
export const newAuditSchema = z.looseObject({
  action: z.unknown().optional(),
  severity: z
    .string()
    .nullish()
    .meta({ description: `${severities.join(', ')}, or Attention, in any case` }),
});

/** The columns of an export; whole column objects of a portal will do. */
export const auditExportSchema = z.looseObject({
  properties: z
    .array(z.looseObject({ name: z.string().min(1), displayName: z.string().nullish() }))
    .max(100)
    .nullish(),
});

export const auditStatsSchema = z.object({ totalToday: count, severeThisWeek: count });

export const auditFiguresSchema = z.object({
  topResources: z.array(z.object({ resource: z.string(), count })),
  topTenants: z.array(z.object({ tenantId: z.string(), count })),
  auditsCounterByTime: z.array(z.object({ time: milliseconds, count })),
});

/** One column, as clients that draw tables read it; a deployment may have set columns with other members. */
const column = z.looseObject({
  name: z
    .string()
    .min(1)
    .meta({ examples: auditFields.map(({ name }) => name) }),
});
const columns = z.array(column).max(100);

export const metadataSchema = z.object({
  rows: z.array(z.object({ id: z.string(), entityName: z.literal('audits'), properties: columns })),
});
export const newMetadataSchema = z.looseObject({
  entityName: z.literal('audits').optional(),
  properties: columns.optional(),
});
