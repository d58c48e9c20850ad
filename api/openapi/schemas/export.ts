import { z } from 'zod';
import { filterSchema } from '../../../core/events/filter.ts';
import { propertiesSchema } from '../../../core/exports/columns.ts';
import { compressions, csvSchema, formats, sortSchema } from '../../../core/exports/exports.ts';
import { type ExportStatus, exportStatuses } from '../../../prisma/exports/find.ts';
import type { ExportError, ExportView, Progress } from '../../../prisma/exports/view.ts';
import { count, pageOf, timestamp, uuid } from './reply-parts.ts';

/** How far a run is. */
export const progressSchema = z.object({
  phase: z.enum(['queued', 'counting', 'writing', 'finishing', 'done']),
  rows: count,
  total_rows: count.nullable(),
  total_is: z.enum(['exact', 'estimate']),
  bytes: count,
  rows_per_second: z.number().min(0).nullable(),
  eta_seconds: count.nullable(),
  percent: z.number().min(0).max(100),
}) satisfies z.ZodType<Progress>;

/** Why an export failed, or waits for another try. */
const errorSchema = z.object({
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
}) satisfies z.ZodType<ExportError>;

/** The export, as the API and the webhooks show it. */
export const exportSchema = z.object({
  id: uuid,
  object: z.literal('export'),
  status: z.enum(exportStatuses as [ExportStatus, ...ExportStatus[]]),
  format: z.enum(formats),
  compression: z.enum(compressions),
  filter: filterSchema,
  properties: propertiesSchema,
  sort: sortSchema,
  csv: csvSchema.optional().meta({ description: 'Of a CSV alone' }),
  file_name: z.string(),
  as_of: timestamp,
  as_of_sequence: count.meta({ description: 'The next incremental export asks for `after_sequence` = this' }),
  expired_through: count
    .nullable()
    .meta({ description: 'Events up to this number were asked for, and had been removed by retention' }),
  resumable: z.boolean().meta({ description: 'Whether it goes on from its last part after a crash' }),
  progress: progressSchema,
  rows: count.nullable(),
  bytes: count.nullable(),
  neutralized_cells: count.nullable().meta({
    description:
      'Cells that an apostrophe was put before, titles among them; null unless `csv.formulas` is `neutralize`',
  }),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable()
    .meta({ description: 'Of the stored file' }),
  complete: z.boolean().nullable(),
  download_url: z.url().nullable().meta({ description: 'Signed for this very reply; needs no key' }),
  download_url_expires_at: timestamp.nullable(),
  receipt_url: z.url().nullable().meta({ description: 'Of what was signed when it was completed' }),
  attempt: z.int().min(1),
  error: errorSchema.nullable(),
  created_by: z
    .object({ type: z.string(), id: z.string().nullable(), name: z.string().nullable(), email: z.string().nullable() })
    .meta({ description: 'Who made it' }),
  created_at: timestamp,
  started_at: timestamp.nullable(),
  completed_at: timestamp.nullable(),
  expires_at: timestamp.nullable(),
}) satisfies z.ZodType<ExportView>;

/** The reply to POST /v1/exports: with the secret of the export's own webhook, if it has one. */
export const newExportReplySchema = exportSchema.extend({
  webhook: z
    .object({ url: z.string(), secret: z.string() })
    .optional()
    .meta({ description: 'Shown here and never again' }),
});

export const exportPageSchema = pageOf(exportSchema);

/** What POST /v1/exports/estimate answers. */
export const estimateSchema = z.object({
  rows: count,
  rows_is: z.enum(['exact', 'estimate']),
  bytes_estimate: count,
  seconds_estimate: z.number().min(0),
  preview: z.object({
    columns: z.array(z.string()),
    rows: z.array(z.array(z.string().nullable())),
    text: z.string().meta({ description: 'The beginning of the file' }),
  }),
  warnings: z.array(z.string()).meta({ description: 'What readers of such a file may stumble over' }),
});
export type Estimate = z.output<typeof estimateSchema>;
