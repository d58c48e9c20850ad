import { z } from 'zod';

/** A UUID as every reply writes it: lower case. */
export const uuid = z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);

/** A time as every reply writes it (core/times.ts). */
export const timestamp = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  .meta({ description: 'RFC 3339, UTC, six fractional digits' });

/** A whole number from 0. */
export const count = z.int().min(0);

/** Where a list goes on (api/http/paging.ts). */
export const pageMetaSchema = z.object({
  next_cursor: z.string().nullable().meta({ description: 'The `cursor` of the next page, null on the last one' }),
  has_more: z.boolean(),
});

/** One page of a list. */
export const pageOf = <T extends z.ZodType>(entry: T) => z.object({ data: z.array(entry), meta: pageMetaSchema });
