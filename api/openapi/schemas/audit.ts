import { z } from 'zod';
import { severities } from '../../../core/events/events.ts';
import { entityName, tableColumnsSchema } from '../../../core/frontegg/metadata.ts';
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

/** What POST /audits takes; further keys are kept as they are. It is checked as the event that it becomes (NewEvent). */
export const newAuditSchema = z.looseObject({
  action: z.unknown().optional(),
  severity: z
    .string()
    .nullish()
    .meta({ description: `${severities.join(', ')}, or Attention, in any case` }),
});

export const auditStatsSchema = z.object({ totalToday: count, severeThisWeek: count });

export const auditFiguresSchema = z.object({
  topResources: z.array(z.object({ resource: z.string(), count })),
  topTenants: z.array(z.object({ tenantId: z.string(), count })),
  auditsCounterByTime: z.array(z.object({ time: milliseconds, count })),
});

export const metadataSchema = z.object({
  rows: z.array(z.object({ id: z.string(), entityName: z.literal(entityName), properties: tableColumnsSchema })),
});
