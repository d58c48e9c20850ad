import type { z } from 'zod';
import { findUnstorableText, storableTextPattern } from './json.ts';

/** The text's schema, for texts that PostgreSQL can hold: without NUL, and without half of a surrogate pair. */
export const storable = (text: z.ZodString): z.ZodString =>
  text
    .refine((value) => !findUnstorableText(value, ''), { error: 'holds a NUL character or half of a surrogate pair' })
    .meta({ pattern: storableTextPattern });
