import type { Request, RequestHandler, Response } from 'express';
import { type CsvFormulas, csvWith, type ExportContent } from '../../core/exports/exports.ts';
import { fileFormats } from '../../core/exports/file-formats.ts';
import { readAuditQuery } from '../../core/frontegg/audit-query.ts';
import { type AuditConstants, auditColumns, auditExportSchema } from '../../core/frontegg/fields.ts';
import { compactTimestamp, now } from '../../core/times.ts';
import { tenancy } from '../access/tenant-route.ts';
import { parse } from '../http/body.ts';
import { jsonContent } from '../openapi/described.ts';
import type { Route } from '../route.ts';
import { setStreamHeaders } from '../streams/send-rows.ts';
import type { AuditDeps } from './audit-deps.ts';
import { anyName, auditFilters, fronteggCall, query } from './described.ts';
import { isAmong, tenantNameOf } from './readable-tenants.ts';

/** CSV as a stream, with the columns that the body chooses and names. The older calls have always said 201. */
export const exportAuditRoutes: readonly Route<AuditDeps>[] = [
  exportCall({ id: 'exportAuditsV1', path: '/audits/export/csv', status: 201 }),
  exportCall({ id: 'exportAuditsV1Again', path: '/audits/export/csv/v2', status: 201 }),
  exportCall({ id: 'exportAudits', path: '/audits/resources/audits/v2/export/csv', status: 200 }),
];

function exportCall({ id, path, status }: { id: string; path: string; status: 200 | 201 }): Route<AuditDeps> {
  return {
    id,
    method: 'post',
    path,
    summary: 'Export audits as CSV',
    description: `All of them, unless \`count\` says otherwise. ${anyName}`,
    by: 'export',
    parameters: [...auditFilters, query('outputFileName', 'Of the file')],
    body: jsonContent('AuditExport', { columns: { properties: [{ name: 'createdAt', displayName: 'Time' }] } }),
    bodyIsOptional: true,
    replies: {
      [status]: {
        description: 'The rows',
        headers: ['Content-Disposition', 'Logferry-As-Of-Sequence', 'Cache-Control'],
        content: { 'text/csv': { schema: { type: 'string' }, example: 'Time\r\n2026-11-22T10:00:00.000Z\r\n' } },
      },
    },
    ...fronteggCall,
    handle: (deps) => sendAudits(deps, status),
  };
}

function sendAudits({ streams, secretKey }: AuditDeps, status: number): RequestHandler {
  return async (request, response) => {
    const tenant = await tenancy(request, response).tenantIfKnown();
    // A tenant that is not known has no rows; its columns are the same.
    const constants = { tenantId: tenant ? tenantNameOf(tenant) : '', vendorId: secretKey.environmentId };
    const { content, fileName, tenants } = readExport(request, { constants, formulas: tenant?.csvFormulas ?? 'keep' });
    if (tenant && isAmong(tenant, tenants))
      await streams.send(request, response, { tenantId: tenant.id, content, fileName, status });
    else sendNothing(response.status(status), { content, fileName });
  };
}

/** No count means all: a portal sends none, and waits for the whole file. */
function readExport(request: Request, { constants, formulas }: { constants: AuditConstants; formulas: CsvFormulas }) {
  const { filter, sort, offset, count, tenants, fileName } = readAuditQuery(request.query, Number.MAX_SAFE_INTEGER);
  const content: ExportContent = {
    format: 'csv',
    compression: 'none',
    csv: csvWith(formulas),
    properties: [],
    columns: auditColumns(parse(auditExportSchema, request.body ?? {}), constants),
    filter,
    sort,
    asked: request.query,
    ...((offset > 0 || count !== undefined) && { window: { offset, count } }),
  };
  return { content, tenants, fileName: csvName(fileName ?? `audits-${compactTimestamp(now())}`) };
}

const csvName = (name: string): string => (name.toLowerCase().endsWith('.csv') ? name : `${name.slice(0, 200)}.csv`);

function sendNothing(response: Response, { content, fileName }: { content: ExportContent; fileName: string }): void {
  setStreamHeaders(response, { content, asOfSequence: 0, fileName });
  response.removeHeader('Trailer');
  response.end(fileFormats[content.format].opening(content));
}
