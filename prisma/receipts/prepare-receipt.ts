import type { Checkpoint } from '../../core/evidence/checkpoint.ts';
import { hashBytes } from '../../core/evidence/merkle-tree.ts';
import { exportStatement, signBundle } from '../../core/evidence/receipt.ts';
import { tileWidth } from '../../core/evidence/tiles.ts';
import { contentType } from '../../core/exports/stored-file.ts';
import { pgSql, type Sql } from '../client.ts';
import type { SignReceipt } from '../exports/runs.ts';
import { contentOfRow, type ExportRow, exportView } from '../exports/view.ts';
import { showCheckpointAt } from '../log/checkpoints.ts';
import { LogContradictionError } from '../log/contradictions.ts';
import { findOrigin, type LogDeps } from '../log/examine-log.ts';
import { readBundle } from '../log/read-tiles.ts';
import { activeSigningKey } from '../log/signing-keys.ts';
import { emptySpan, type FileSpan, fileSpan } from './file-span.ts';

type Facts = {
  tenant: { id: string; external_id: string | null };
  origin: string;
  /** The signed note; null where the log contradicts what was shown. */
  checkpoint: string | null;
  head: { sequence_number: number; hash: string };
  span: FileSpan;
  software: { name: string; version: string };
};

/**
 * Finds out all that a receipt says besides what the completed row does, before the transaction that completes the export:
 * the checkpoint of the tree as the export has seen it, and the ends of the file.
 * @param options.rows of the file @param options.signal ends it
 * @throws AppError unavailable when the storage cannot keep the checkpoint
 */
export async function prepareReceipt(
  deps: LogDeps,
  row: ExportRow,
  options: { rows: number; software: Facts['software']; signal: AbortSignal },
): Promise<SignReceipt> {
  const { prisma, pool, scans } = deps.database;
  const { tenantId } = row;
  const asOfSequence = Number(row.asOfSequence);
  const shown = await checkpointOf(deps, tenantId, asOfSequence);
  const expiredThrough = Number(row.expiredThrough ?? 0);
  const source = { tenantId, asOfSequence, expiredThrough, content: contentOfRow(row) };
  const span = options.rows === 0 ? emptySpan : await fileSpan(scans, source, options.signal);
  const { externalId } = await prisma.tenant.findUniqueOrThrow({ where: { id: tenantId } });
  const facts: Facts = {
    tenant: { id: tenantId, external_id: externalId },
    origin: shown?.origin ?? (await findOrigin(deps, tenantId)),
    checkpoint: shown?.note ?? null,
    head: { sequence_number: asOfSequence, hash: await hashOf(pgSql(pool), tenantId, asOfSequence) },
    span,
    software: options.software,
  };
  const key = await activeSigningKey({ prisma, secretKey: deps.secretKey });
  return (completed) => signBundle(statementOf(completed, facts), key);
}

/** Exports go on while the log contradicts itself: their receipts say nothing of it. */
async function checkpointOf(
  deps: LogDeps,
  tenantId: string,
  size: number,
): Promise<(Checkpoint & { note: string }) | undefined> {
  try {
    return await showCheckpointAt(deps, tenantId, size);
  } catch (error) {
    if (!(error instanceof LogContradictionError)) throw error;
    return undefined;
  }
}

/** The hash of an event in hex, of a removed one too; zeros before the first. */
async function hashOf(sql: Sql, tenantId: string, sequenceNumber: number): Promise<string> {
  if (sequenceNumber === 0) return '0'.repeat(2 * hashBytes);
  const width = ((sequenceNumber - 1) % tileWidth) + 1;
  const entries = await readBundle(sql, tenantId, { index: (sequenceNumber - width) / tileWidth, width });
  if (!entries) throw new Error(`Events of the bundle of event ${sequenceNumber} of ${tenantId} are gone`);
  return entries.subarray(-hashBytes).toString('hex');
}

function statementOf(row: ExportRow, { tenant, origin, checkpoint, head, span, software }: Facts): Buffer {
  const view = exportView(row);
  const { format, compression, filter, properties, sort, rows, bytes, sha256, file_name } = view;
  const request = { format, compression, ...(view.csv && { csv: view.csv }), filter, properties, sort };
  const file = {
    name: file_name,
    format,
    compression,
    content_type: contentType(contentOfRow(row)),
    rows,
    bytes,
    sha256,
  };
  return exportStatement([{ name: file_name, sha256: sha256! }], {
    export_id: row.id,
    tenant,
    origin,
    request,
    files: [file],
    as_of: view.as_of,
    as_of_sequence: view.as_of_sequence,
    after_sequence: contentOfRow(row).filter.after_sequence ?? 0,
    first_sequence: span.first,
    last_sequence: span.last,
    rows,
    bytes,
    erased_rows: span.erased,
    neutralized_cells: view.neutralized_cells,
    truncated_cells: null,
    redacted: [],
    checkpoint,
    head,
    previous_receipt: null,
    created_by: { type: view.created_by.type, id: view.created_by.id },
    created_at: view.created_at,
    completed_at: view.completed_at,
    software,
  });
}
