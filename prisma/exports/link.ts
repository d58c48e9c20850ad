import { attachment } from '../../core/exports/content-disposition.ts';
import { contentType } from '../../core/exports/stored-file.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { formatTimestamp } from '../../core/times.ts';
import { databaseTime, type Prisma } from '../client.ts';
import { contentOfRow, type ExportRow, isDownloadable, type Link } from './view.ts';

/** Mints a link to the file of a completed export, for this moment: it lives `ttlSeconds`, never longer than the file. */
export async function mintLink(
  store: Pick<ObjectStore, 'signLink'>,
  row: ExportRow,
  { ttlSeconds, method, now }: { ttlSeconds: number; method?: 'GET' | 'HEAD'; now?: Date },
): Promise<Link | undefined> {
  if (!isDownloadable(row, now)) return undefined;
  const left = Math.floor((row.expiresAt!.getTime() - (now?.getTime() ?? Date.now())) / 1000);
  const { url, expiresAt } = await store.signLink(row.storageKey, {
    expiresInSeconds: Math.max(1, Math.min(ttlSeconds, left)),
    contentDisposition: attachment(row.fileName),
    contentType: contentType(contentOfRow(row)),
    method,
    ...(now && { now }),
  });
  return { download_url: url, download_url_expires_at: formatTimestamp(expiresAt) };
}

/**
 * Mints a link to the file of an export by its id alone, for webhooks, which are sent long after: by the database's clock, as
 * it is another process that serves the file. None if it has no file.
 */
export async function linkForExport(
  { prisma, store, ttlSeconds }: { prisma: Prisma; store: Pick<ObjectStore, 'signLink'>; ttlSeconds: number },
  exportId: string,
): Promise<Link | undefined> {
  const row = await prisma.export.findUnique({ where: { id: exportId } });
  return row ? mintLink(store, row, { ttlSeconds, now: await databaseTime(prisma) }) : undefined;
}
