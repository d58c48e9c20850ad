import { keepRecent } from '../../core/async/recent.ts';
import { AppError } from '../../core/errors.ts';
import { NoRoomError } from '../../core/storage/store-full.ts';
import { type Database, pgSql } from '../client.ts';
import { readStoredBytes } from './stored-bytes.ts';

/** The row of settings that says when a write last found the storage full. */
export const fullMark = 'store_full_at';

/** Minutes for which that is told: nobody knows when room is made, and the next file that is written may be hours away. */
export const fullMarkMinutes = 10;

/** Writes down that the storage has just refused a write for want of room, for those who do not write themselves. */
export async function markStoreFull({ pool }: Pick<Database, 'pool'>): Promise<void> {
  await pool.query(
    `insert into settings (name, value) values ($1, clock_timestamp()::text)
     on conflict (name) do update set value = excluded.value`,
    [fullMark],
  );
}

/** SQL: whether the mark is young enough to be told. */
export const isMarkedFull = `exists (select from settings where name = '${fullMark}'
  and value::timestamptz > now() - make_interval(mins => ${fullMarkMinutes}))`;

/** What an API knows of the room in the storage. */
export type StoreRoom = {
  /** Whether all files together reach LOGFERRY_STORE_LIMIT; as of a few seconds ago at most. */
  isReached(): Promise<boolean>;
  /** @throws NoRoomError if they do, or a write has found the storage full within the last ten minutes */
  check(): Promise<void>;
};

/**
 * Milliseconds for which a sum is given again, which takes longer the more files there are: less once the limit is reached, so
 * that exports are taken as soon as there is room.
 */
const sumAgeMs = { below: 2_000, reached: 100 };

/** @param limit bytes; undefined is without limit */
export function openStoreRoom({ pool }: Pick<Database, 'pool'>, limit: number | undefined): StoreRoom {
  const read = () => readStoredBytes(pgSql(pool));
  const recent = keepRecent(read, { maxAgeMs: sumAgeMs.below });
  const latest = keepRecent(read, { maxAgeMs: sumAgeMs.reached });
  const isReached = async () =>
    limit !== undefined && (await recent.get('all'))! >= limit && (await latest.get('all'))! >= limit;
  return {
    isReached,
    async check() {
      if (await isReached()) throw new NoRoomError(`All files together reach LOGFERRY_STORE_LIMIT (${limit} bytes)`);
      const { rows } = await pool.query<{ full: boolean }>(`select ${isMarkedFull} as full`);
      if (rows[0]!.full) throw new NoRoomError('The storage has refused a write for want of room');
    },
  };
}

/** Seconds after which files may have expired or been deleted. Nobody knows when. */
const retrySeconds = 60;

/** What is answered to those who would make an export while the limit is reached. */
export const storeLimitReached = (): AppError =>
  new AppError(
    'unavailable',
    'All files together reach what this deployment may store. Try again when files have expired, delete exports that are not needed, or ask the operator for room.',
    { headers: { 'Retry-After': String(retrySeconds) } },
  );
