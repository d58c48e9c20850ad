import { contentOf, type ExportRequest, filterLimitBytes } from '../../core/exports/exports.ts';
import { parseJson } from '../../core/json/json.ts';
import { formatTimestamp } from '../../core/times.ts';
import type { Export } from '../generated/client.ts';
import type { AuditContext } from './audit-context.ts';

export type ExportRow = Export;

/** Why an export failed, or waits for another try. */
export type ExportError = { code: string; message: string; retryable: boolean };

/** How far a run is, as stored with the export. */
export type Progress = {
  phase: 'queued' | 'counting' | 'writing' | 'finishing' | 'done';
  rows: number;
  total_rows: number | null;
  total_is: 'exact' | 'estimate';
  bytes: number;
  rows_per_second: number | null;
};

export const queuedProgress: Progress = {
  phase: 'queued',
  rows: 0,
  total_rows: null,
  total_is: 'estimate',
  bytes: 0,
  rows_per_second: null,
};

/** A link to the file, minted for the reply it stands in. */
export type Link = { download_url: string; download_url_expires_at: string };

/** Whether the file can be had: its life may be over before the sweep has removed it. */
export const isDownloadable = (row: ExportRow, now = new Date()): boolean =>
  row.status === 'completed' && row.expiresAt !== null && row.expiresAt > now;

/** What was asked for, but for the webhook. */
export const requestOf = (row: ExportRow) => parseJson(row.request) as Omit<ExportRequest, 'webhook'>;
export const contentOfRow = (row: ExportRow) => contentOf(requestOf(row));

/**
 * The export as it is told of again and again, by webhooks and streams of progress: a filter that is too long to be repeated is
 * null. Who wants to know asks for the export.
 */
export function withShortFilter(row: ExportRow): ExportRow {
  if (Buffer.byteLength(row.request) <= filterLimitBytes) return row;
  const request = requestOf(row);
  if (Buffer.byteLength(JSON.stringify(request.filter)) <= filterLimitBytes) return row;
  return { ...row, request: JSON.stringify({ ...request, filter: null }) };
}

/** The export as the API and the webhooks show it: `now` says whether its file still lives. */
export function exportView(
  row: ExportRow,
  { link, now, publicUrl }: { link?: Link; now?: Date; publicUrl?: string } = {},
) {
  const request = requestOf(row);
  const lapsed = row.status === 'completed' && !isDownloadable(row, now);
  return {
    id: row.id,
    object: 'export',
    status: lapsed ? 'expired' : row.status,
    format: request.format,
    compression: request.compression,
    filter: request.filter,
    properties: request.properties,
    sort: request.sort,
    ...(request.format === 'csv' ? { csv: contentOf(request).csv } : {}),
    file_name: row.fileName,
    as_of: formatTimestamp(row.asOf),
    as_of_sequence: Number(row.asOfSequence),
    expired_through: row.expiredThrough === null ? null : Number(row.expiredThrough),
    resumable: row.resumable,
    progress: progressView(row),
    rows: row.rows === null ? null : Number(row.rows),
    bytes: row.bytes === null ? null : Number(row.bytes),
    neutralized_cells: row.neutralizedCells === null ? null : Number(row.neutralizedCells),
    sha256: row.sha256,
    complete: row.status === 'completed' || row.status === 'expired' ? row.rows !== null : null,
    download_url: link?.download_url ?? null,
    download_url_expires_at: link?.download_url_expires_at ?? null,
    receipt_url: publicUrl === undefined || !hasReceipt(row) ? null : receiptUrl(publicUrl, row.id),
    attempt: 1 + row.failures + row.crashes,
    error: row.error as ExportError | null,
    created_by: createdBy(row),
    created_at: formatTimestamp(row.createdAt),
    started_at: time(row.startedAt),
    completed_at: time(row.completedAt),
    expires_at: time(row.expiresAt),
  };
}

const hasReceipt = ({ status, sha256 }: ExportRow): boolean =>
  (status === 'completed' || status === 'expired') && sha256 !== null;

/** Where the receipt of a completed export is to be had. */
export const receiptUrl = (publicUrl: string, id: string): string => `${publicUrl}/v1/exports/${id}/receipt`;

/** Who made it: a key, a user, or the management. */
function createdBy(row: ExportRow) {
  const { type, id, name, email = null } = (row.createdBy as AuditContext).actor;
  return { type, id, name, email };
}

export type ExportView = ReturnType<typeof exportView>;

const time = (date: Date | null): string | null => date && formatTimestamp(date);

function progressView(row: ExportRow) {
  const progress = row.progress as unknown as Progress;
  const { rows, rows_per_second: rate } = progress;
  const phase = phaseOf(row, progress);
  const done = phase === 'done';
  // An estimate may be too low; there are at least the rows that were written, and nothing is 100 % before it is done.
  const total = progress.total_rows === null ? null : Math.max(progress.total_rows, rows);
  const percent = done ? 100 : total ? Math.min(99.9, Math.floor((rows / total) * 1000) / 10) : 0;
  const left = total !== null && rate ? Math.max(0, Math.ceil((total - rows) / rate)) : null;
  return { ...progress, phase, total_rows: total, eta_seconds: done ? 0 : left, percent };
}

/** A worker tells of its phase once a second; what the status says is newer. */
function phaseOf(row: ExportRow, { phase }: Progress): Progress['phase'] {
  if (row.status === 'queued') return 'queued';
  return row.status === 'running' && phase === 'queued' ? 'counting' : phase;
}
