import { z } from 'zod';
import { erasable } from '../../../core/events/erasure-request.ts';
import { ErasureStatus } from '../../../prisma/erasures/find.ts';
import { count, pageOf, timestamp, uuid } from './reply-parts.ts';

/** An erasure, as the API and the webhooks show it. */
export const erasureSchema = z.object({
  id: uuid.nullable().meta({ description: 'Null of a dry run' }),
  object: z.literal('erasure'),
  status: z.enum(ErasureStatus),
  filter: z.record(z.string(), z.unknown()).meta({ description: 'Once it has ended, with null for each value' }),
  compartments: z.array(z.enum(erasable)),
  reason: z.string(),
  matched: count.nullable().meta({ description: 'Events that match the filter' }),
  erased: count.nullable().meta({ description: 'Events of which something went that was still there' }),
  exports: z.array(uuid).nullable().meta({ description: 'Whose stored files may hold what was erased' }),
  created_by: z.object({
    type: z.string(),
    id: z.string().nullable(),
    name: z.string().nullable(),
    email: z.string().nullable(),
  }),
  created_at: timestamp,
  completed_at: timestamp.nullable(),
  error: z.object({ code: z.string(), message: z.string(), retryable: z.boolean() }).nullable(),
});

export const erasurePageSchema = pageOf(erasureSchema);
