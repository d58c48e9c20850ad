import type { Request, Response } from 'express';
import type { Config } from '../../../core/config.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';
import { isFinal } from '../../../prisma/exports/find.ts';
import { mintLink } from '../../../prisma/exports/link.ts';
import type { LinkLog } from '../../../prisma/exports/link-log.ts';
import { type ExportRow, type ExportView, exportView } from '../../../prisma/exports/view.ts';
import { auditContext } from '../../access/tenant-route.ts';
import { uuidOf } from '../../http/path-id.ts';
import { logExportId } from '../../http/request-log.ts';

/** What showing an export takes: whoever sees one that is completed gets a link to its file. */
export type PresentDeps = {
  config: Pick<Config, 'DOWNLOAD_URL_TTL' | 'publicUrl'>;
  store: ObjectStore;
  linkLog: LinkLog;
};

/** Seconds after which a client should ask again. */
const retryAfterSeconds = 1;

/** The id in the path, which the line of the request in the log names. @throws AppError not_found for what is no UUID */
export function exportIdOf(request: Request, response: Response): string {
  const id = uuidOf(request, 'export');
  logExportId(response, id);
  return id;
}

/**
 * Exports as the API shows them, with a fresh link to the file of each that has one; the tenant's log says who was shown which.
 * A HEAD is shown nothing.
 */
export async function presentExports(
  { store, config, linkLog }: PresentDeps,
  response: Response,
  rows: readonly ExportRow[],
): Promise<ExportView[]> {
  const request = response.req as Request;
  const { publicUrl, DOWNLOAD_URL_TTL: ttlSeconds } = config;
  if (request.method === 'HEAD') return rows.map((row) => exportView(row, { publicUrl }));
  const shown = await Promise.all(rows.map(async (row) => ({ row, link: await mintLink(store, row, { ttlSeconds }) })));
  const exportIds = shown.flatMap(({ row, link }) => (link ? [row.id] : []));
  if (exportIds.length > 0) {
    await linkLog.minted({ tenantId: rows[0]!.tenantId, exportIds, by: auditContext(request, response) });
  }
  return shown.map(({ row, link }) => exportView(row, { link, publicUrl }));
}

/** One export, as presentExports(). */
export const presentExport = async (deps: PresentDeps, response: Response, row: ExportRow): Promise<ExportView> =>
  (await presentExports(deps, response, [row]))[0]!;

/** Answers with an export; one that has not ended says when to ask again. */
export async function answerExport(
  deps: PresentDeps,
  response: Response,
  { row, status = 200, more = {} }: { row: ExportRow; status?: number; more?: object },
): Promise<void> {
  if (!isFinal(row.status)) response.set('Retry-After', String(retryAfterSeconds));
  response.status(status).json({ ...(await presentExport(deps, response, row)), ...more });
}
