import { auditFields } from '../../core/frontegg/fields.ts';
import { auditExample, metadataExample } from './examples.ts';
import { type Described, jsonBody, type Paths, reply } from './operation.ts';
import type { Parameter } from './parameters.ts';

const query = (name: string, description: string, schema: Parameter['schema'] = { type: 'string' }): Parameter => ({
  name,
  in: 'query',
  description,
  schema,
});
const texts = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] };
const digits = { type: 'integer', minimum: 0 };

/** What lists and exports take. Clients send texts and lists in several ways, and `undefined` for what is not set. */
const filters: readonly Parameter[] = [
  query('created_from', 'Inclusive; ISO 8601, UTC without a zone'),
  query('created_to', 'Inclusive'),
  query('tenant_ids', 'Of these tenants', texts),
  query('users', 'Whose `user` or `actorId` is one of these', texts),
  query('filter', 'Words, all of which must stand in it'),
  query('sortBy', 'The name of a field'),
  query('sortDirection', '`asc` or `desc`, in any case'),
  query('offset', 'Entries to leave out', digits),
  query('count', 'Entries at most', digits),
  query('limit', 'Another name of `count`', digits),
  ...auditFields
    .filter(({ name }) => name !== 'tenantId' && name !== 'vendorId')
    .map(({ name }) => query(name, 'This value; or operators as JSON text, such as `{"$gt": …}`', texts)),
];

const anyName = 'Every other query parameter is the name of a custom field, which must have that value.';

/** What all of these have in common. */
const shared = { errorFamily: 'frontegg', errors: ['bad_request'] } as const satisfies Partial<Described>;

const list = (id: string, summary: string): Described => ({
  id,
  summary,
  description: `Newest first. A management key that names no tenant reads all of them. ${anyName}`,
  by: 'events:read',
  parameters: filters,
  replies: {
    200: reply('One page', { schema: 'AuditPage', example: { data: [auditExample], total: 1 } }),
  },
  ...shared,
});

const streamed = (id: string, status: 200 | 201): Described => ({
  id,
  summary: 'Export audits as CSV',
  description: `All of them, unless \`count\` says otherwise. ${anyName}`,
  by: 'export',
  parameters: [...filters, query('outputFileName', 'Of the file')],
  body: jsonBody('AuditExport', { columns: { properties: [{ name: 'createdAt', displayName: 'Time' }] } }),
  bodyIsOptional: true,
  replies: {
    [status]: {
      description: 'The rows',
      headers: ['Content-Disposition', 'Logferry-As-Of-Sequence', 'Cache-Control'],
      content: { 'text/csv': { schema: { type: 'string' }, example: 'Time\r\n2026-11-22T10:00:00.000Z\r\n' } },
    },
  },
  ...shared,
});

/** The audits API of Frontegg, for clients that speak it. */
export const auditPaths = (): Paths => ({
  '/audits': {
    get: list('listAuditsV1', 'List audits (the older list)'),
    post: {
      id: 'createAudit',
      summary: 'Write one audit',
      description:
        'Further keys are kept. A management key makes the tenant that it writes for, if it is not there yet.',
      by: 'events:write',
      body: jsonBody('NewAudit', { audit: { action: 'user.login', severity: 'Medium', email: 'ana@example.com' } }),
      replies: { 202: reply('The audit as it will be read', { schema: 'Audit', example: auditExample }) },
      ...shared,
    },
  },
  '/audits/resources/audits/v2': { get: list('listAudits', 'List audits') },
  '/audits/stats': {
    get: {
      id: 'getAuditStats',
      summary: 'Count the audits of today, and the severe ones of this week',
      by: 'events:read',
      replies: { 200: reply('In UTC', { schema: 'AuditStats', example: { totalToday: 3, severeThisWeek: 1 } }) },
      ...shared,
    },
  },
  '/audits/export/csv': { post: streamed('exportAuditsV1', 201) },
  '/audits/export/csv/v2': { post: streamed('exportAuditsV1Again', 201) },
  '/audits/resources/audits/v2/export/csv': { post: streamed('exportAudits', 200) },
  '/audits/resources/metrics/v1': {
    get: {
      id: 'getAuditFigures',
      summary: 'Count audits by resource, tenant and time',
      description: 'Of all tenants of this region.',
      by: 'management',
      parameters: [
        query('from', 'Milliseconds since 1970', digits),
        query('to', 'Milliseconds since 1970', digits),
        query('frequency', 'Milliseconds of a step', digits),
        query('limit', 'Entries of each top list', digits),
      ],
      replies: {
        200: reply('The figures', {
          schema: 'AuditFigures',
          example: {
            topResources: [{ resource: 'app', count: 3 }],
            topTenants: [{ tenantId: 'acme', count: 3 }],
            auditsCounterByTime: [{ time: '2026-11-22T10:00:00.000Z', count: 3 }],
          },
        }),
      },
      ...shared,
    },
  },
  '/metadata': {
    get: {
      id: 'getMetadata',
      summary: 'Read the columns of a table of audits',
      by: 'events:read',
      ofNoTenant: true,
      parameters: [query('entityName', '`audits`; others have none')],
      replies: { 200: reply('The columns', { schema: 'Metadata', example: metadataExample }) },
      errorFamily: 'frontegg',
      anyQuery: true,
    },
    post: {
      id: 'setMetadata',
      summary: 'Read the columns, or set them',
      description: 'With `properties` it sets them, which needs a management key.',
      by: 'events:read',
      ofNoTenant: true,
      parameters: [query('entityName', '`audits`')],
      body: jsonBody('NewMetadata', { read: { entityName: 'audits' } }),
      bodyIsOptional: true,
      replies: { 200: reply('The columns', { schema: 'Metadata', example: metadataExample }) },
      ...shared,
      errors: ['bad_request', 'not_found'],
    },
  },
});
