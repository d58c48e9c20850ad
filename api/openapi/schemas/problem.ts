import { z } from 'zod';
import { type ErrorType, errorTypes } from '../../../core/errors.ts';
import { limitNames } from '../../../core/exports/plan-limits.ts';
import { count } from './reply-parts.ts';

const names = Object.keys(errorTypes) as [ErrorType, ...ErrorType[]];

/** An error, as an RFC 9457 problem document (api/http/error-handler.ts). */
export const problemSchema = z.object({
  type: z.url(),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string().meta({ description: 'What to change' }),
  errors: z
    .array(z.object({ path: z.string(), message: z.string() }))
    .optional()
    .meta({ description: 'Each mistake in the input' }),
  request_id: z.string(),
  base_url: z.url().optional().meta({ description: 'Of a 421: where the tenant is at home' }),
  line: z.int().min(1).optional().meta({ description: 'Of a bad line of NDJSON, counted from 1' }),
  limit: z
    .object({ name: z.enum(limitNames), limit: count, used: count })
    .optional()
    .meta({ description: "Of a 429: which of the plan's limits" }),
  error: z.object({ type: z.enum(names), message: z.string() }),
});

/** An error of the paths that Frontegg's clients call (api/frontegg/errors.ts). */
export const fronteggErrorsSchema = z.object({ errors: z.array(z.string()).min(1) });
