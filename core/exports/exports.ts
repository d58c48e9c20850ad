import { z } from 'zod';
import { parseSortPath, sortPathPattern } from '../events/event-path.ts';
import type { RowFilter } from '../events/field-criteria.ts';
import { filterSchema } from '../events/filter.ts';
import { findUnstorableText } from '../json/json.ts';
import { oneOf, strictObject } from '../strict-object.ts';
import { webhookSecretSchema, webhookUrlSchema } from '../webhooks/webhooks.ts';
import { type Column, propertiesSchema } from './columns.ts';

export const formats = ['csv', 'json', 'ndjson'] as const;
export type Format = (typeof formats)[number];
export const compressions = ['none', 'gzip', 'zstd'] as const;
export type Compression = (typeof compressions)[number];

/** Seconds that a finished file may be kept. */
export const expiresInLimits = { least: 60, most: 7_776_000 };
/** Runs of an export that may fail, and workers that may die under it, before it ends as failed. */
export const attemptLimits = { failures: 5, crashes: 20 };

/** What is done to text that a spreadsheet would run. */
export const csvFormulas = ['keep', 'neutralize'] as const;
export type CsvFormulas = (typeof csvFormulas)[number];

const delimiters = [',', ';', '\t', '|'] as const;

/** Bytes of a filter that is repeated elsewhere: in events of the audit log and in webhooks. A longer one stands in the export alone. */
export const filterLimitBytes = 4096;

/** How a CSV is written. The defaults are RFC 4180, and read back cell by cell. */
export const csvSchema = strictObject({
  delimiter: oneOf('delimiter', delimiters).default(','),
  bom: z.boolean({ error: 'must be true or false' }).default(false),
  header: z.boolean({ error: 'must be true or false' }).default(true),
  line_ending: oneOf('line ending', ['crlf', 'lf']).default('crlf'),
  null: z
    .string({ error: 'must be text' })
    .max(32, 'must have at most 32 characters')
    .refine((text) => !/["\r\n\0,;\t|]/.test(text) && !findUnstorableText(text, ''), {
      error: 'must hold no quote, delimiter, line break or NUL',
    })
    .meta({ pattern: '^[^"\\r\\n\\u0000,;\\t|\\ud800-\\udfff]*$', description: 'What stands for null' })
    .default(''),
  formulas: oneOf('treatment of formulas', csvFormulas).default('keep'),
});
export type CsvOptions = z.output<typeof csvSchema>;

/** Fields to sort by, the first one first. Empty is the same as left out. */
export const sortSchema = z
  .array(
    strictObject({
      field: z
        .string({ error: 'must be a field of the event, as text' })
        .superRefine((field, context) => {
          const path = parseSortPath(field);
          if ('error' in path) context.addIssue({ code: 'custom', message: path.error });
        })
        .meta({ pattern: sortPathPattern }),
      direction: oneOf('direction', ['asc', 'desc']).default('asc'),
    }),
    { error: 'must be a list of {"field": …, "direction": …}' },
  )
  .max(5, 'must have at most 5 fields');
export type Sort = z.output<typeof sortSchema>;

const fileName = z
  .string({ error: 'must be text' })
  .min(1, 'must not be empty')
  .refine((text) => [...text].length <= 150, { error: 'must have at most 150 characters' })
  .refine((text) => !/[/\\\p{Cc}\p{Zl}\p{Zp}]/u.test(text) && text.isWellFormed(), {
    error: 'must hold printable characters only, and neither / nor \\',
  })
  .refine((text) => /\S/.test(text), { error: 'must not be blank' })
  .meta({
    maxLength: 150,
    pattern: String.raw`^(?=.*\S)[^/\\\p{Cc}\p{Zl}\p{Zp}\ud800-\udfff]*$`,
    description: 'The extension is added if it is missing',
  });

/** The webhook of one export alone. */
const webhookSchema = strictObject({
  url: webhookUrlSchema,
  secret: webhookSecretSchema.optional(),
});

/** What POST /v1/exports takes. Only `format` is required. */
export const exportRequestSchema = strictObject({
  format: oneOf('format', formats),
  compression: oneOf('compression', compressions).default('none'),
  filter: filterSchema.default({}),
  properties: propertiesSchema.default([]),
  sort: sortSchema.default([]),
  file_name: fileName.optional(),
  webhook: webhookSchema.optional(),
  expires_in: z
    .number({ error: 'must be a number of seconds' })
    .int('must be a whole number of seconds')
    .min(expiresInLimits.least, `must be at least ${expiresInLimits.least} seconds`)
    .max(expiresInLimits.most, `must be at most ${expiresInLimits.most} seconds`)
    .optional(),
  csv: csvSchema.optional(),
})
  .superRefine((request, context) => {
    if (request.csv && request.format !== 'csv') {
      context.addIssue({ code: 'custom', path: ['csv'], message: `belongs to format "csv", not "${request.format}"` });
    }
  })
  .meta({ dependentSchemas: { csv: { properties: { format: { const: 'csv' } } } } });
export type ExportRequest = z.output<typeof exportRequestSchema>;

/** What decides the rows and the bytes of a file: the request without name, webhook and life. Stored with the export. */
export type ExportContent = Pick<ExportRequest, 'format' | 'compression' | 'properties' | 'sort'> & {
  csv: CsvOptions;
  filter: RowFilter;
} & OtherContent;

/** What other APIs ask for beyond ours. No job has any of it. */
type OtherContent = {
  /** The columns, instead of `properties`. */
  columns?: readonly Column[];
  /** So many rows of the sorted ones, after so many; all that are left without `count`. */
  window?: { offset: number; count?: number };
  /** The filter as the client wrote it, where it wrote it in another way. */
  asked?: object;
};

/** Options of a CSV whose request cannot name any. */
export const csvWith = (formulas: CsvFormulas): CsvOptions => csvSchema.parse({ formulas });

export const contentOf = (request: ExportRequest): ExportContent => ({
  format: request.format,
  compression: request.compression,
  filter: request.filter,
  properties: request.properties,
  sort: request.sort,
  csv: csvSchema.parse(request.csv ?? {}),
});

/** The sort that applies: the default is oldest first. Ties are broken by sequence_number in the direction of the last field. */
export const effectiveSort = (sort: Sort): Sort =>
  sort.length > 0 ? sort : [{ field: 'occurred_at', direction: 'asc' }];
