import type pg from 'pg';
import type { Finding } from '../../core/findings.ts';
import { fullMarkMinutes, isMarkedFull } from '../exports/store-room.ts';
import { storedBytesOf } from '../exports/stored-bytes.ts';

const about = 'storage';
const makeRoom = 'Make room, shorten EXPORT_TTL, or delete exports that are not needed.';

/** Share of the limit beyond which it counts as nearly reached. */
const nearly = 0.9;

/** How much room there is for files, as the database knows it. @param limit LOGFERRY_STORE_LIMIT */
export async function inspectStoredBytes(client: pg.Client, limit: number | undefined): Promise<Finding[]> {
  const { rows } = await client.query<{ bytes: string; full: boolean }>(
    `select ${storedBytesOf()} as bytes, ${isMarkedFull} as full`,
  );
  const stored = Number(rows[0]!.bytes);
  const findings = [judgeSum(stored, limit)];
  if (rows[0]!.full) {
    const text = `The storage has refused a write for want of room within the last ${fullMarkMinutes} minutes`;
    findings.push({ level: 'warning', about, text, remedy: makeRoom });
  }
  return findings;
}

function judgeSum(stored: number, limit: number | undefined): Finding {
  const text = `files and running exports take ${stored} bytes`;
  if (limit === undefined) return { level: 'ok', about, text };
  const told = `${text} of the ${limit} of LOGFERRY_STORE_LIMIT`;
  if (stored < limit * nearly) return { level: 'ok', about, text: told };
  const consequence = stored >= limit ? 'new exports are refused' : 'exports that do not fit will fail';
  return { level: 'warning', about, text: `${told}: ${consequence}`, remedy: `${makeRoom} Or raise the limit.` };
}
