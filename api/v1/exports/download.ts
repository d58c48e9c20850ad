import type { RequestHandler } from 'express';
import { AppError } from '../../../core/errors.ts';
import type { Database } from '../../../prisma/client.ts';
import { recordDownload } from '../../../prisma/exports/audit.ts';
import { getExport, isFinal } from '../../../prisma/exports/find.ts';
import { mintLink } from '../../../prisma/exports/link.ts';
import { type ExportRow, isDownloadable } from '../../../prisma/exports/view.ts';
import { auditContext, tenantOf } from '../../access/tenant-route.ts';
import { idOf } from '../../openapi/parameters.ts';
import type { Route } from '../../route.ts';
import { exportIdOf, type PresentDeps } from './present.ts';

type Deps = PresentDeps & { database: Database };

/** Leads to the file, and has the tenant's audit log say so. */
export const downloadOne: Route<Deps> = {
  id: 'downloadExport',
  method: 'get',
  path: '/v1/exports/:id/download',
  summary: 'Get the file',
  by: 'export',
  parameters: [idOf('export')],
  replies: {
    302: {
      description: 'Leads to the file, by a signed link that needs no key',
      headers: ['Location', 'Cache-Control'],
    },
  },
  errors: ['conflict', 'gone'],
  handle: download,
};

function download({ database: { prisma }, store, config }: Deps): RequestHandler {
  return async (request, response) => {
    const row = await getExport(prisma, tenantOf(response).id, exportIdOf(request, response));
    refuseUndownloadable(row);
    const isDownload = request.method === 'GET';
    const link = await mintLink(store, row, {
      ttlSeconds: config.DOWNLOAD_URL_TTL,
      method: isDownload ? 'GET' : 'HEAD',
    });
    if (!link) throw gone();
    if (isDownload) await recordDownload(prisma, row, auditContext(request, response));
    response.redirect(302, link.download_url);
  };
}

function refuseUndownloadable(row: ExportRow): void {
  if (isDownloadable(row)) return;
  if (!isFinal(row.status))
    throw new AppError('conflict', `The export is ${row.status}; its file can be downloaded once it is completed.`);
  if (row.status === 'failed' || row.status === 'canceled')
    throw new AppError('conflict', `The export is ${row.status}; it has no file.`);
  throw gone();
}

const gone = (): AppError =>
  new AppError('gone', 'The file of this export has expired or was deleted. Make a new export.');
