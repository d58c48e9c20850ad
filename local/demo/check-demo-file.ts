import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { parse } from 'csv-parse';
import { openDatabase } from '../../prisma/client.ts';
import type { DemoFilter } from './choose-demo-export.ts';

/** What a file is and holds. `numberSum` adds up the sequence numbers: with the count, it tells a doubled row from a missing one. */
export type FileFacts = { bytes: number; sha256: string; rows: number; numberSum: number; beginning: string };

const shownBytes = 4096;

/**
 * Reads a gzipped CSV as its receiver would: unpacks it and parses every cell. Its first column must be the sequence number.
 * @throws when it is no gzip or no CSV, or was cut off
 */
export async function readDemoFile(path: string, signal: AbortSignal): Promise<FileFacts> {
  const hash = createHash('sha256');
  const facts = { bytes: 0, rows: 0, numberSum: 0, beginning: '' };
  await pipeline(
    createReadStream(path),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        facts.bytes += chunk.length;
        yield chunk;
      }
    },
    createGunzip(),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        if (facts.beginning === '') facts.beginning = chunk.toString('utf8', 0, shownBytes);
        yield chunk;
      }
    },
    parse({ bom: true, from: 2 }),
    async (records: AsyncIterable<string[]>) => {
      for await (const [number] of records) {
        facts.rows += 1;
        facts.numberSum += Number(number);
      }
    },
    { signal },
  );
  return { ...facts, sha256: hash.digest('hex') };
}

/** What the database says of an export: counted anew, and as recorded with it. */
export type DatabaseFacts = { rows: number; numberSum: number; recorded: { bytes: number; sha256: string } };

/**
 * Asks the database directly, past the API and the code that made the file. The conditions are written by hand on purpose:
 * a mistake in ours would otherwise be on both sides.
 */
export async function askDatabase(
  databaseUrl: string,
  asked: { tenantId: string; exportId: string; asOfSequence: number; filter: DemoFilter },
): Promise<DatabaseFacts> {
  const database = openDatabase(databaseUrl);
  try {
    const counted = await database.pool.query<{ rows: string; number_sum: string }>(
      `select count(*) as rows, coalesce(sum(sequence_number), 0) as number_sum from events
       where tenant_id = $1 and occurred_at >= $2::timestamptz and sequence_number > $5 and sequence_number <= $3
         and ($4::text[] is null or severity::text = any($4))`,
      [
        asked.tenantId,
        asked.filter.from,
        asked.asOfSequence,
        asked.filter.severity ?? null,
        asked.filter.after_sequence,
      ],
    );
    const stored = await database.pool.query<{ bytes: string; sha256: string }>(
      'select bytes, sha256 from exports where id = $1',
      [asked.exportId],
    );
    const { rows, number_sum } = counted.rows[0]!;
    const { bytes, sha256 } = stored.rows[0]!;
    return { rows: Number(rows), numberSum: Number(number_sum), recorded: { bytes: Number(bytes), sha256 } };
  } finally {
    await database.close();
  }
}
