import type { endOfFile } from '../../core/exports/frame-rows.ts';
import type { PartReceipt, Upload } from '../../core/storage/object-store.ts';
import { type Database, databaseTime, type Prisma, type PrismaTransaction } from '../client.ts';
import type { Position } from '../rows/read-segments.ts';
import { announce } from './end.ts';
import type { ExportError, ExportRow, Progress } from './view.ts';

/** A run of an export: the right to write for it, as long as nobody has begun a newer one. */
export type Run = { exportId: string; epoch: number };

/** Another run has taken the export over, or it has ended: whoever sees this writes nothing more. */
export class LeaseLostError extends Error {
  constructor(run: Run) {
    super(`Run ${run.epoch} of export ${run.exportId} does not hold it any more`);
    this.name = 'LeaseLostError';
  }
}

/** Somebody asked for the end of the export. */
export class CancelRequestedError extends Error {
  constructor() {
    super('The export was canceled');
    this.name = 'CancelRequestedError';
  }
}

/** What a worker finds that looks for an export to run; `lapsesInMs`: a run seems dead, and may be taken over by then. */
export type Claim =
  | { outcome: 'started'; row: ExportRow; run: Run }
  | { outcome: 'none'; lapsesInMs: number | undefined };

const whileHeld = ({ exportId, epoch }: Run) => ({ id: exportId, epoch, status: 'running' as const });
const whileWanted = (run: Run) => ({ ...whileHeld(run), cancelRequestedAt: null });

/** Why a run could not write under the condition whileWanted() or whileHeld(). */
const refusal = async (client: PrismaTransaction, run: Run): Promise<Error> =>
  (await client.export.count({ where: whileHeld(run) })) > 0 ? new CancelRequestedError() : new LeaseLostError(run);

/** What has just been taken for this run, unless somebody has ended it meanwhile. */
export async function startedClaim(prisma: Prisma, run: Run): Promise<Claim> {
  const row = await prisma.export.findUnique({ where: { id: run.exportId } });
  return row?.epoch === run.epoch ? { outcome: 'started', row, run } : { outcome: 'none', lapsesInMs: undefined };
}

/**
 * Says that the run is alive and how far it is. Fails when no answer comes for as long as the lease is.
 * @throws LeaseLostError, CancelRequestedError
 */
export async function renewLease(
  database: Database,
  run: Run,
  leaseSeconds: number,
  progress: Progress,
): Promise<void> {
  const renewal = {
    text: `update exports set lease_until = now() + make_interval(secs => $3), progress = $4
     where id = $1 and epoch = $2 and status = 'running' returning cancel_requested_at is not null as canceled`,
    values: [run.exportId, run.epoch, leaseSeconds, JSON.stringify(progress)],
    // Milliseconds. An answer that comes later is none: the lease has run out.
    query_timeout: leaseSeconds * 1000,
  };
  const { rows } = await database.runs.query<{ canceled: boolean }>(renewal);
  if (!rows[0]) throw new LeaseLostError(run);
  if (rows[0].canceled) throw new CancelRequestedError();
}

/** What an export has written so far, and all that is needed to go on from there. */
export type Checkpoint = {
  part: PartReceipt;
  /** Rows of the file up to the end of this part. */
  rows: number;
  /** Cells of the file up to the end of this part that were altered so that no spreadsheet runs them. */
  neutralizedCells: number;
  /** Where reading goes on. */
  position: Position | typeof endOfFile;
};

/** Writes a checkpoint if the run still holds the export. @throws LeaseLostError */
export async function saveCheckpoint(
  database: Database,
  run: Run,
  { part, rows, neutralizedCells, position }: Checkpoint,
): Promise<void> {
  const { rowCount } = await database.runs.query(
    `insert into checkpoints (export_id, part_number, epoch, etag, bytes, rows, neutralized_cells, position)
     select id, $3, epoch, $4, $5, $6, $7, $8 from exports where id = $1 and epoch = $2 and status = 'running' for update
     on conflict (export_id, part_number) do update set epoch = excluded.epoch, etag = excluded.etag, bytes = excluded.bytes,
       rows = excluded.rows, neutralized_cells = excluded.neutralized_cells, position = excluded.position`,
    [run.exportId, run.epoch, part.partNumber, part.etag, part.bytes, rows, neutralizedCells, JSON.stringify(position)],
  );
  if (rowCount === 0) throw new LeaseLostError(run);
}

/** The parts that are stored, from the first on without a gap. */
export async function loadCheckpoints(prisma: Prisma, exportId: string): Promise<Checkpoint[]> {
  const saved = await prisma.checkpoint.findMany({ where: { exportId }, orderBy: { partNumber: 'asc' } });
  return saved
    .filter((checkpoint, index) => checkpoint.partNumber === index + 1)
    .map((checkpoint) => ({
      part: { partNumber: checkpoint.partNumber, etag: checkpoint.etag, bytes: Number(checkpoint.bytes) },
      rows: Number(checkpoint.rows),
      neutralizedCells: Number(checkpoint.neutralizedCells),
      // Written by saveCheckpoint() alone.
      position: checkpoint.position as Checkpoint['position'],
    }));
}

/** Puts a new upload in place of one that is gone; its checkpoints and what it has reserved go with it. @throws LeaseLostError */
export async function replaceUpload(prisma: Prisma, run: Run, uploadId: string): Promise<void> {
  await prisma.$transaction(async (tx) => {
    const { count } = await tx.export.updateMany({ where: whileHeld(run), data: { uploadId, reservedBytes: 0n } });
    if (count === 0) throw new LeaseLostError(run);
    await tx.checkpoint.deleteMany({ where: { exportId: run.exportId } });
  });
}

/** What signs the receipt of an export as it is completed. */
export type SignReceipt = (completed: ExportRow) => string;

/** What a run ends an export with. */
export type End =
  | {
      status: 'completed';
      rows: number;
      bytes: number;
      /** Null where it was not asked to alter any. */
      neutralizedCells: number | null;
      sha256: string;
      progress: Progress;
      expiresInMs: number;
      /** Makes the receipt of the completed row, which is stored with it. */
      signReceipt: SignReceipt;
    }
  | { status: 'failed'; error: ExportError }
  | { status: 'canceled' };

/**
 * Ends the export, once: status, figures and one delivery for each webhook are one transaction. Somebody who was told
 * that the export is being canceled is not given it completed or failed.
 * @param tell tells the webhooks, inside the transaction; for an export that has killed those who did, tellNobody
 * @returns ids of the deliveries to enqueue
 * @throws LeaseLostError, CancelRequestedError
 */
export async function endExport(
  prisma: Prisma,
  run: Run,
  end: End,
  tell: (tx: PrismaTransaction, row: ExportRow) => Promise<string[]> = announce,
): Promise<string[]> {
  return prisma.$transaction(async (tx) => {
    const now = await databaseTime(tx);
    const figures =
      end.status === 'completed'
        ? {
            rows: BigInt(end.rows),
            bytes: BigInt(end.bytes),
            neutralizedCells: end.neutralizedCells,
            sha256: end.sha256,
            progress: end.progress,
            expiresAt: new Date(now.getTime() + end.expiresInMs),
            uploadId: null,
          }
        : end.status === 'failed'
          ? { error: end.error }
          : {};
    const { count } = await tx.export.updateMany({
      where: end.status === 'canceled' ? whileHeld(run) : whileWanted(run),
      data: { status: end.status, completedAt: now, leaseUntil: null, ...figures },
    });
    if (count === 0) throw await refusal(tx, run);
    if (end.status === 'completed') await tx.checkpoint.deleteMany({ where: { exportId: run.exportId } });
    const row = await tx.export.findUniqueOrThrow({ where: { id: run.exportId } });
    if (end.status === 'completed') {
      const body = end.signReceipt(row);
      await tx.receipt.create({ data: { exportId: row.id, tenantId: row.tenantId, body } });
    }
    return tell(tx, row);
  });
}

/** For an export that must end by a way that does nothing else. */
export const tellNobody = async (): Promise<string[]> => [];

/** Puts the export back into the queue after a failed run, which counts, for so many milliseconds at least. @throws LeaseLostError, CancelRequestedError */
export async function requeueFailed(prisma: Prisma, run: Run, error: ExportError, delayMs: number): Promise<void> {
  const retryAt = new Date((await databaseTime(prisma)).getTime() + delayMs);
  const { count } = await prisma.export.updateMany({
    where: whileWanted(run),
    data: { status: 'queued', leaseUntil: null, failures: { increment: 1 }, error, retryAt },
  });
  if (count === 0) throw await refusal(prisma, run);
}

/**
 * Hands the export back from a process that stops: no failure, and no attempt spent.
 * @throws LeaseLostError, CancelRequestedError
 */
export async function handBack(prisma: Prisma, run: Run): Promise<void> {
  const { count } = await prisma.export.updateMany({
    where: whileWanted(run),
    data: { status: 'queued', leaseUntil: null },
  });
  if (count === 0) throw await refusal(prisma, run);
}

/** The upload of the export, if one was begun. @throws LeaseLostError: then it is another run's */
export async function heldUpload(prisma: Prisma, run: Run): Promise<Upload | undefined> {
  const row = await prisma.export.findFirst({ where: whileHeld(run) });
  if (!row) throw new LeaseLostError(run);
  return row.uploadId ? { key: row.storageKey, uploadId: row.uploadId } : undefined;
}
