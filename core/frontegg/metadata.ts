import { z } from 'zod';
import { maxColumns } from '../exports/columns.ts';
import { auditFields, defaultFields } from './fields.ts';

/** The one table that clients of Frontegg may ask about. */
export const entityName = 'audits';

/** The columns of a table of audits, where the management has set no others; a portal shows these and exports them. */
export const presetProperties = auditFields.map(({ name, displayName, type }) => ({
  name,
  displayName,
  type,
  sortable: name !== 'tenantId' && name !== 'vendorId',
  filterable: name !== 'tenantId' && name !== 'vendorId',
  showInTable: defaultFields.some((field) => field.name === name) && name !== 'json',
  showInMoreInfo: true,
}));

const property = z.looseObject(
  {
    name: z
      .string('must be text')
      .min(1, 'must not be empty')
      .max(256, 'must have at most 256 characters')
      .meta({ examples: auditFields.map(({ name }) => name) }),
  },
  'must be {"name": …}',
);

/** Columns as clients that draw tables read them; they may have other members besides their names. */
export const tableColumnsSchema = z
  .array(property, 'must be a list of columns')
  .max(maxColumns, `must have at most ${maxColumns} columns`);

/** What POST /metadata takes. */
export const newMetadataSchema = z.looseObject(
  {
    entityName: z.literal(entityName, `must be "${entityName}"; there is no other here`).optional(),
    properties: tableColumnsSchema.optional(),
  },
  'must be a JSON object',
);
