import {
  deliveryExample,
  estimateExample,
  exportExample,
  exportRequestExample,
  pageExample,
  queuedExportExample,
} from './examples.ts';
import { jsonBody, type Paths, reply } from './operation.ts';
import { exportStatus, idempotencyKey, idOf, paging, prefer } from './parameters.ts';

const id = idOf('export');
const requestBody = jsonBody('ExportRequest', { export: exportRequestExample, least: { format: 'ndjson' } });

/** The jobs that write files. */
export const exportPaths = (): Paths => ({
  '/v1/exports': {
    post: {
      id: 'createExport',
      summary: 'Make an export',
      description:
        'Needs the plan `pro`. The file holds exactly the matching events with `sequence_number <= as_of_sequence`. The secret of its own webhook is shown in this reply alone.',
      by: 'export',
      parameters: [idempotencyKey, prefer],
      body: requestBody,
      replies: {
        200: reply('It has ended within the wait', {
          schema: 'NewExport',
          example: exportExample,
          headers: ['Location', 'Preference-Applied', 'Idempotency-Replayed'],
        }),
        202: reply('It is queued, or runs', {
          schema: 'NewExport',
          example: queuedExportExample,
          headers: ['Location', 'Retry-After', 'Preference-Applied', 'Idempotency-Replayed'],
        }),
      },
      errors: ['plan_feature_unavailable', 'plan_limit_exceeded', 'idempotency_mismatch'],
    },
    get: {
      id: 'listExports',
      summary: 'List exports',
      description: 'Newest first.',
      by: 'export',
      parameters: [exportStatus, ...paging],
      replies: { 200: reply('One page', { schema: 'ExportPage', example: pageExample(exportExample) }) },
    },
  },
  '/v1/exports/estimate': {
    post: {
      id: 'estimateExport',
      summary: 'Tell what an export would be',
      description: 'Needs the plan `pro`. Rows, bytes, seconds, and a preview of the first 5 rows. Nothing is stored.',
      by: 'export',
      body: requestBody,
      replies: { 200: reply('The estimate', { schema: 'Estimate', example: estimateExample }) },
      errors: ['plan_feature_unavailable'],
    },
  },
  '/v1/exports/{id}': {
    get: {
      id: 'getExport',
      summary: 'Read one export',
      by: 'export',
      parameters: [id],
      replies: {
        200: reply('The export', { schema: 'Export', example: exportExample, headers: ['Retry-After'] }),
      },
    },
    delete: {
      id: 'deleteExport',
      summary: 'Delete the file of an export',
      description: 'One that has not ended is canceled. The record stays.',
      by: 'export',
      parameters: [id],
      replies: { 204: { description: 'Done' } },
    },
  },
  '/v1/exports/{id}/cancel': {
    post: {
      id: 'cancelExport',
      summary: 'Cancel an export',
      description: 'One that runs stops within 5 seconds.',
      by: 'export',
      parameters: [id],
      replies: {
        202: reply('It is canceled, or about to be', {
          schema: 'Export',
          example: { ...queuedExportExample, status: 'canceled' },
          headers: ['Retry-After'],
        }),
      },
      errors: ['conflict'],
    },
  },
  '/v1/exports/{id}/download': {
    get: {
      id: 'downloadExport',
      summary: 'Get the file',
      by: 'export',
      parameters: [id],
      replies: {
        302: {
          description: 'Leads to the file, by a signed link that needs no key',
          headers: ['Location', 'Cache-Control'],
        },
      },
      errors: ['conflict', 'gone'],
    },
  },
  '/v1/exports/{id}/events': {
    get: {
      id: 'watchExport',
      summary: 'Watch the progress of an export',
      description:
        'Server-sent events: `progress` at least every second, then one named by how it ended: `completed`, `failed`, `canceled`, `expired`. The data of each is the export.',
      by: 'export',
      parameters: [id],
      replies: {
        200: {
          description: 'The events',
          headers: ['Cache-Control'],
          content: {
            'text/event-stream': {
              schema: { type: 'string' },
              example: `event: completed\ndata: ${JSON.stringify(exportExample)}\n\n`,
            },
          },
        },
      },
    },
  },
  '/v1/exports/{id}/deliveries': {
    get: {
      id: 'listExportDeliveries',
      summary: 'List what webhooks were told of an export',
      by: 'export',
      parameters: [id, ...paging],
      replies: { 200: reply('One page', { schema: 'DeliveryPage', example: pageExample(deliveryExample) }) },
    },
  },
});
