import type { Request, Response } from 'express';
import type { Config } from '../../../core/config.ts';
import type { ObjectStore } from '../../../core/storage/object-store.ts';
import { isFinal } from '../../../prisma/exports/find.ts';
import { mintLink } from '../../../prisma/exports/link.ts';
import { type ExportRow, exportView } from '../../../prisma/exports/view.ts';
import { uuidOf } from '../../http/path-id.ts';
import { logExportId } from '../../http/request-log.ts';

/** What showing an export takes: whoever sees one that is completed gets a link to its file. */
export type PresentDeps = { config: Pick<Config, 'DOWNLOAD_URL_TTL'>; store: ObjectStore };

/** Seconds after which a client should ask again. */
const retryAfterSeconds = 1;

/** The id in the path, which the line of the request in the log names. @throws AppError not_found for what is no UUID */
export function exportIdOf(request: Request, response: Response): string {
  const id = uuidOf(request, 'export');
  logExportId(response, id);
  return id;
}

/** An export as the API shows it, with a fresh link to its file if there is one. */
export const presentExport = async ({ store, config }: PresentDeps, row: ExportRow) =>
  exportView(row, await mintLink(store, row, { ttlSeconds: config.DOWNLOAD_URL_TTL }));

/** Answers with an export; one that has not ended says when to ask again. */
export async function answerExport(
  deps: PresentDeps,
  response: Response,
  { row, status = 200, more = {} }: { row: ExportRow; status?: number; more?: object },
): Promise<void> {
  if (!isFinal(row.status)) response.set('Retry-After', String(retryAfterSeconds));
  response.status(status).json({ ...(await presentExport(deps, row)), ...more });
}
