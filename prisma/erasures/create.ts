import { createHash } from 'node:crypto';
import { AppError } from '../../core/errors.ts';
import type { ErasureRequest } from '../../core/events/erasure-request.ts';
import { systemEvent } from '../../core/events/new-event.ts';
import { newId } from '../../core/ids.ts';
import { canonicalJson } from '../../core/json/canonical-json.ts';
import { parseJson } from '../../core/json/json.ts';
import {
  type Database,
  databaseTime,
  inTransaction,
  type Prisma,
  type PrismaTransaction,
  prismaSql,
} from '../client.ts';
import { appendEvents, inChainOrder, lockChainHead } from '../events/append.ts';
import { logBeginning } from '../events/beginning.ts';
import type { AuditContext } from '../exports/audit-context.ts';
import { refuseAheadOf } from '../exports/find.ts';
import { findIdempotencyKey, rememberIdempotencyKey } from '../exports/idempotency.ts';
import { readAsTenant } from '../isolation/as-role.ts';
import { lockRemovable } from '../removal/expiry.ts';
import { parameters } from '../sql/bind.ts';
import { filterConditions } from '../sql/filter.ts';
import type { ErasureRow } from './find.ts';

type NewErasure = { request: ErasureRequest; by: AuditContext; idempotencyKey?: string };

/**
 * Writes an erasure as queued, of the events committed by now. Its log is told that it was asked for, without the values of
 * the filter.
 * @throws AppError conflict while the tenant is on legal hold; idempotency_mismatch
 */
export function createErasure(
  prisma: Prisma,
  tenantId: string,
  { request, by, idempotencyKey }: NewErasure,
): Promise<{ row: ErasureRow; replayed: boolean }> {
  const fingerprint = createHash('sha256')
    .update(canonicalJson(parseJson(JSON.stringify(['erasure', request]))))
    .digest();
  const create = async (tx: PrismaTransaction) => {
    const sql = prismaSql(tx);
    const head = await lockChainHead(sql, tenantId);
    const use = idempotencyKey === undefined ? undefined : { tenantId, key: idempotencyKey, fingerprint };
    const earlier = use && (await findIdempotencyKey(tx, use));
    const made = earlier?.erasureId && (await tx.erasure.findUnique({ where: { id: earlier.erasureId } }));
    if (made) return { row: made, replayed: true };
    if (!(await lockRemovable(sql, tenantId))) throw onHold();
    refuseAheadOf(head.sequenceNumber, request.filter.after_sequence);
    const id = newId();
    const row = await tx.erasure.create({
      data: {
        id,
        tenantId,
        status: 'queued',
        filter: JSON.stringify(request.filter),
        compartments: [...request.compartments],
        reason: request.reason,
        deleteFiles: request.delete_files,
        exports: [],
        createdBy: by as object,
        asOfSequence: BigInt(head.sequenceNumber),
        position: BigInt(Math.max(await logBeginning(sql, tenantId), request.filter.after_sequence ?? 0)),
        createdAt: await databaseTime(tx),
      },
    });
    if (idempotencyKey)
      await rememberIdempotencyKey(tx, { tenantId, key: idempotencyKey, fingerprint }, { erasureId: id });
    const metadata = {
      compartments: request.compartments,
      reason: request.reason,
      filter: Object.keys(request.filter),
    };
    const target = { type: 'erasure', id };
    await appendEvents(sql, tenantId, [systemEvent({ action: 'logferry.erasure.created', ...by, target, metadata })]);
    return { row, replayed: false };
  };
  return inChainOrder(tenantId, () => prisma.$transaction(create));
}

const onHold = (): AppError =>
  new AppError('conflict', 'The tenant is on legal hold: nothing of its events is erased until the hold ends.');

/** Milliseconds for counting what an erasure would match. */
const countLimitMs = 30_000;

/**
 * How many events an erasure made now would match. Nothing is changed.
 * @throws AppError conflict while the tenant is on legal hold; an error of the database if it takes too long
 */
export async function countErasure(
  { scans, pool }: Pick<Database, 'scans' | 'pool'>,
  tenantId: string,
  { filter }: Pick<ErasureRequest, 'filter'>,
): Promise<number> {
  if (!(await inTransaction(pool, (sql) => lockRemovable(sql, tenantId)))) throw onHold();
  return readAsTenant(scans, { tenants: tenantId, limitMs: countLimitMs }, async (sql) => {
    const { bind, values } = parameters();
    const after = await logBeginning(sql, tenantId);
    const conditions = [
      `tenant_id = ${bind(tenantId, 'uuid')}`,
      `sequence_number > ${bind(String(after), 'bigint')}`,
      ...filterConditions(filter, bind),
    ];
    const [row] = await sql<{ count: unknown }>(
      `select count(*) as count from events where ${conditions.join(' and ')}`,
      values,
    );
    return Number(row!.count);
  });
}
