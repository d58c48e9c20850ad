import type { Database, Prisma } from '../client.ts';
import { isFinal } from './find.ts';
import { idempotencyHours } from './idempotency.ts';

/**
 * Whether a duty of the sweep is this process's to do now: none has begun it within the last `everySeconds`. By the clock
 * of the database. Somewhat less than that will do, or a worker that asks as often would find it begun every other time.
 */
export async function takeSweep({ pool }: Database, duty: string, everySeconds: number): Promise<boolean> {
  const { rowCount } = await pool.query(
    `insert into settings (name, value) values ($1, clock_timestamp()::text)
     on conflict (name) do update set value = excluded.value
     where settings.value::timestamptz < clock_timestamp() - make_interval(secs => $2)`,
    [`swept_at.${duty}`, everySeconds * 0.9],
  );
  return rowCount === 1;
}

/** What worker/sweep/sweep.ts looks for. All by the indexes on status, oldest first. */

/** Exports that wait without having to, and those whose worker has been silent for longer than its lease. */
export async function forgottenExports({ pool }: Database, limit: number): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `select id from exports
     where (status = 'queued' and coalesce(retry_at, created_at) < now() - interval '2 seconds')
        or (status = 'running' and lease_until < now())
     order by id limit $1`,
    [limit],
  );
  return rows.map((row) => row.id);
}

/** Completed exports whose file has lived its time. */
export async function completedBefore(prisma: Prisma, time: Date, limit: number): Promise<string[]> {
  const rows = await prisma.export.findMany({
    where: { status: 'completed', expiresAt: { lt: time } },
    select: { id: true },
    take: limit,
  });
  return rows.map((row) => row.id);
}

/** Expired exports whose file is still there. */
export const undeletedFiles = (prisma: Prisma, limit: number) =>
  prisma.export.findMany({
    where: { status: 'expired', fileDeletedAt: null },
    select: { id: true, storageKey: true },
    take: limit,
  });

/** Failed and canceled exports that still have an upload. */
export const unfinishedUploads = (prisma: Prisma, limit: number) =>
  prisma.export.findMany({
    where: { status: { in: ['failed', 'canceled'] }, uploadId: { not: null } },
    select: { id: true, storageKey: true, uploadId: true },
    take: limit,
  });

export async function markUploadForgotten(prisma: Prisma, id: string): Promise<void> {
  await prisma.$transaction([
    prisma.export.updateMany({ where: { id, status: { in: ['failed', 'canceled'] } }, data: { uploadId: null } }),
    prisma.checkpoint.deleteMany({ where: { exportId: id, export: { status: { in: ['failed', 'canceled'] } } } }),
  ]);
}

/** What is known of exports by which it shows whose upload is whose. */
export async function uploadOwners(
  prisma: Prisma,
  exportIds: string[],
): Promise<Map<string, { uploadId: string | null; hasEnded: boolean }>> {
  const rows = await prisma.export.findMany({
    where: { id: { in: exportIds } },
    select: { id: true, uploadId: true, status: true },
  });
  return new Map(rows.map(({ id, uploadId, status }) => [id, { uploadId, hasEnded: isFinal(status) }]));
}

/** Which of these exports there are, of any tenant and in any state. */
export async function knownExports({ pool }: Pick<Database, 'pool'>, ids: string[]): Promise<Set<string>> {
  const { rows } = await pool.query<{ id: string }>('select id from exports where id = any($1::uuid[])', [ids]);
  return new Set(rows.map(({ id }) => id));
}

export async function forgetIdempotencyKeys(prisma: Prisma): Promise<void> {
  await prisma.idempotencyKey.deleteMany({
    where: { createdAt: { lt: new Date(Date.now() - idempotencyHours * 3_600_000) } },
  });
}
