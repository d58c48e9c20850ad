import { z } from 'zod';
import { csvFormulas } from './exports/exports.ts';
import { storable } from './json/storable.ts';
import { oneOf, strictObject } from './strict-object.ts';

/** Plans in the order of their rank: each may do what the ones before it may. */
export const plans = ['free', 'pro', 'enterprise'] as const;
export type Plan = (typeof plans)[number];

/** A text of 1 to `most` characters that PostgreSQL can hold. */
export const shortText = (most: number) =>
  storable(
    z
      .string({ error: (issue) => (issue.input === undefined ? 'is required' : 'must be text') })
      .min(1, 'must not be empty')
      .max(most, `must have at most ${most} characters`),
  );

const dayLimits = { least: 1, most: 36_500 };
/** Days that events are kept. */
export const retentionDays = z
  .number({ error: 'must be a number of days, or null' })
  .int('must be a whole number of days')
  .min(dayLimits.least, `must be at least ${dayLimits.least} day`)
  .max(dayLimits.most, `must be at most ${dayLimits.most} days`)
  .nullable();

// It is sent as a header by those who act for the tenant, so it holds what a header can.
const headerText = /^[!-~]([ -~]*[!-~])?$/;
const externalId = shortText(256)
  .regex(headerText, { error: 'must be printable ASCII without a space at either end, as it is sent in a header' })
  .meta({ pattern: headerText.source });

const members = {
  name: shortText(256),
  plan: oneOf('plan', plans).optional(),
  external_id: externalId.nullish(),
  csv_formulas: oneOf('treatment of formulas', csvFormulas)
    .meta({
      description:
        'Of the CSV of `GET /v1/events/export` and of Frontegg’s calls, which cannot say it themselves. A job says it in `csv.formulas`.',
    })
    .optional(),
  retention_days: retentionDays
    .optional()
    .meta({ description: 'How long events are kept; null is as the plan says, and for ever where it says nothing' }),
  legal_hold: z
    .boolean({ error: 'must be true or false' })
    .optional()
    .meta({ description: 'While it is true no event is removed or erased' }),
};

/** What POST /v1/tenants takes. Whether the region exists, the deployment's configuration says. */
export const newTenantSchema = strictObject({ ...members, region: shortText(64).optional() });

/**
 * What PATCH /v1/tenants/:id takes. The region is not among it: a tenant's rows and files live in one region, and moving
 * them is not a change of a name.
 */
export const tenantChangesSchema = strictObject({ ...members, name: shortText(256).optional() })
  .refine((changes) => Object.values(changes).some((value) => value !== undefined), {
    error: `must change something: ${Object.keys(members).join(', ')}`,
  })
  .meta({ minProperties: 1 });
export type TenantChanges = z.output<typeof tenantChangesSchema>;
