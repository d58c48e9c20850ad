import { promisify } from 'node:util';
import { gzip, zstdCompress } from 'node:zlib';
import type { RequestHandler } from 'express';
import { boundedSlots } from '../../../core/async/bounded-slots.ts';
import { columnsOf } from '../../../core/exports/columns.ts';
import {
  contentOf,
  type ExportContent,
  type ExportRequest,
  exportRequestSchema,
} from '../../../core/exports/exports.ts';
import { fileFormats } from '../../../core/exports/file-formats.ts';
import { warningsOf } from '../../../core/exports/warnings.ts';
import type { WebhookGuard } from '../../../core/webhooks/webhook-address.ts';
import type { Database } from '../../../prisma/client.ts';
import { spanOf } from '../../../prisma/exports/find.ts';
import { countRows } from '../../../prisma/rows/count.ts';
import { firstCells, firstLines } from '../../../prisma/rows/preview.ts';
import { tenantOf } from '../../access/tenant-route.ts';
import { parse } from '../../http/body.ts';
import { reply } from '../../openapi/described.ts';
import { estimateExample } from '../../openapi/examples.ts';
import type { Estimate } from '../../openapi/schemas/export.ts';
import type { Route } from '../../route.ts';
import { exportRequestBody } from './create.ts';
import { webhookSecret } from './webhook-secret.ts';

type Deps = { database: Database; guard: WebhookGuard };

export const estimateOne: Route<Deps> = {
  id: 'estimateExport',
  method: 'post',
  path: '/v1/exports/estimate',
  summary: 'Tell what an export would be',
  description: 'Needs the plan `pro`. Rows, bytes, seconds, and a preview of the first 5 rows. Nothing is stored.',
  by: 'export',
  plan: 'pro',
  body: exportRequestBody,
  replies: { 200: reply('The estimate', { schema: 'Estimate', example: estimateExample }) },
  errors: ['conflict'],
  handle: postEstimate,
};

const tooBusy = 'Too many estimates are being made. Wait for the one before to end, or create the export.';

/** Each looks at many rows: one of a tenant at a time, and few in all. */
const mostEstimated = { inAll: 4, ofOneTenant: 1, waitMs: 30_000 };

function postEstimate({ database, guard }: Deps): RequestHandler {
  const inSlot = boundedSlots(mostEstimated, tooBusy);
  return async (request, response) => {
    const wanted = parse(exportRequestSchema, request.body);
    // What could not be made is refused here too.
    await webhookSecret(guard, wanted);
    const { id } = tenantOf(response);
    response.json(await inSlot(id, () => estimateExport(database, id, wanted)));
  };
}

const previewRows = 5;
/** Rows from which the size of the others is guessed. */
const sampleRows = 200;
const countLimitMs = 2_000;
const sampleLimitMs = 10_000;
/** Rows a second of one export on a machine like the one the table of docs/performance.md was measured on, and what starting one takes. */
const typicalRowsPerSecond = 150_000;
const startSeconds = 0.1;

/**
 * What an export would be: its rows (exact, or estimated from a sample if counting takes longer than two seconds), its
 * size and time guessed from its first rows, and a preview of the first five, of none where they are so rare that they
 * are not found in ten seconds. Nothing is stored.
 */
async function estimateExport(database: Database, tenantId: string, request: ExportRequest): Promise<Estimate> {
  const content = contentOf(request);
  const rows = { tenantId, ...(await spanOf(database.prisma, tenantId, content.filter)), content };
  const [count, sample, lines, cells] = await Promise.all([
    countRows(database, rows, countLimitMs),
    firstLines(database, rows, { count: sampleRows, limitMs: sampleLimitMs }),
    firstLines(database, rows, { count: previewRows, limitMs: sampleLimitMs }),
    firstCells(database, rows, { count: previewRows, limitMs: sampleLimitMs }),
  ]);
  const head = fileFormats[content.format].opening(content);
  const compressedShare = await shareAfterCompression(content, Buffer.concat([head, sample.bytes]));
  const bytesPerRow = sample.rows === 0 ? 0 : sample.bytes.length / sample.rows;
  return {
    rows: count.rows,
    rows_is: count.is,
    bytes_estimate: Math.round((head.length + bytesPerRow * count.rows) * compressedShare),
    seconds_estimate: Math.round((startSeconds + count.rows / typicalRowsPerSecond) * 10) / 10,
    preview: {
      columns: columnsOf(content).map((column) => column.title),
      rows: cells,
      text: previewText(content, head, lines.bytes),
    },
    warnings: warningsOf(content),
  };
}

async function shareAfterCompression({ compression }: ExportContent, sample: Buffer): Promise<number> {
  if (compression === 'none' || sample.length === 0) return 1;
  const compressed = await (compression === 'gzip'
    ? promisify(gzip)(sample, { level: 1 })
    : promisify(zstdCompress)(sample));
  return compressed.length / sample.length;
}

/** The file's beginning as it would stand there, closed at once, so that the preview is a file too. */
function previewText({ format }: ExportContent, head: Buffer, lines: Buffer): string {
  const { closing, separatorBytes } = fileFormats[format];
  return `${head}${lines.subarray(separatorBytes)}${closing}`;
}
