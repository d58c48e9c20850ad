import { z } from 'zod';
import { type Compartment, compartments } from '../evidence/compartments.ts';
import { oneOf, strictObject } from '../strict-object.ts';
import { shortText } from '../tenants.ts';
import { filterSchema } from './filter.ts';

/** What can be erased: all but what the event is. */
export type Erasable = Exclude<Compartment, 'what'>;
export const erasable = compartments.filter((name) => name !== 'what') as [Erasable, ...Erasable[]];

const flag = z.boolean({ error: 'must be true or false' }).default(false);

/** What POST /v1/erasures takes. */
export const erasureRequestSchema = strictObject({
  filter: filterSchema.refine((filter) => Object.values(filter).some((value) => value !== undefined), {
    error: 'must not be empty: an erasure names what it is about',
  }),
  compartments: z
    .array(oneOf('compartment', erasable), { error: `must be a list of compartments. Allowed: ${erasable.join(', ')}` })
    .min(1, `must name at least one compartment. Allowed: ${erasable.join(', ')}`)
    .transform((asked) => erasable.filter((name) => asked.includes(name))),
  reason: shortText(500),
  delete_files: flag.meta({ description: 'Whether stored files of exports that may hold what is erased are deleted' }),
  dry_run: flag.meta({ description: 'Only counts what matches' }),
});
export type ErasureRequest = z.output<typeof erasureRequestSchema>;
