import { type Request, type RequestHandler, type Response, Router } from 'express';
import { csvSchema, type ExportContent } from '../../core/exports/exports.ts';
import { fileFormats } from '../../core/exports/file-formats.ts';
import { readAuditQuery } from '../../core/frontegg/audit-query.ts';
import { auditColumns, auditExportSchema } from '../../core/frontegg/fields.ts';
import { compactTimestamp, now } from '../../core/times.ts';
import { requireScope, tenancy } from '../access/tenant-route.ts';
import { jsonBody, parse } from '../http/body.ts';
import { setStreamHeaders } from '../streams/send-rows.ts';
import type { AuditDeps } from './audit-deps.ts';
import { isAmong, tenantNameOf } from './readable-tenants.ts';

/** Where exports are asked for, and what each answers with: the older ones have always said 201. */
const exportStatuses = {
  '/export/csv': 201,
  '/export/csv/v2': 201,
  '/resources/audits/v2/export/csv': 200,
};

/** Exports: CSV as a stream, with the columns that the body chooses and names. Need the scope `export`. */
export function exportAuditRoutes({ streams, secretKey }: AuditDeps): Router {
  const router = Router();
  const send =
    (status: number): RequestHandler =>
    async (request, response) => {
      requireScope(response, 'export');
      const tenant = await tenancy(request, response).tenantIfKnown();
      // A tenant that is not known has no rows; its columns are the same.
      const constants = { tenantId: tenant ? tenantNameOf(tenant) : '', vendorId: secretKey.environmentId };
      const { content, fileName, tenants } = readExport(request, constants);
      if (tenant && isAmong(tenant, tenants))
        await streams.send(request, response, { tenantId: tenant.id, content, fileName, status });
      else sendNothing(response.status(status), { content, fileName });
    };
  for (const [path, status] of Object.entries(exportStatuses)) router.post(path, jsonBody(), send(status));
  return router;
}

/** No count means all: a portal sends none, and waits for the whole file. */
function readExport(request: Request, constants: { tenantId: string; vendorId: string }) {
  const { filter, sort, offset, count, tenants, fileName } = readAuditQuery(request.query, Number.MAX_SAFE_INTEGER);
  const content: ExportContent = {
    format: 'csv',
    compression: 'none',
    csv: csvSchema.parse({}),
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
