import { z } from 'zod';
import type { Readiness } from '../../../core/health.ts';

export const livenessSchema = z.object({ status: z.literal('ok') });

export const readinessSchema = z.object({
  status: z.enum(['ok', 'unavailable']),
  checks: z.record(z.string(), z.enum(['ok', 'away', 'full', 'not ready'])),
  not_ready: z.array(z.string()),
  reasons: z.record(z.string(), z.string()).optional().meta({ description: 'Why checks fail, where that is public' }),
  warnings: z.array(z.string()).meta({ description: 'What is away or full, while the process serves all the same' }),
}) satisfies z.ZodType<Readiness>;
