import { createGzip } from 'node:zlib';
import { stringify } from 'csv-stringify';
import pg from 'pg';
import QueryStream from 'pg-query-stream';
import { eventFields } from '../../core/events/events.ts';
import { contend } from './contend.ts';
import { csvOptions, type TextbookJob, upload } from './upload-textbook.ts';

const batchRows = 1_000;
const fields = eventFields.filter((field) => field.csv);
/** PostgreSQL prints what is no text: so no value is parsed only to be printed again. */
const cells = fields.map(({ type, column }) => (type === 'hash' ? `encode(${column}, 'hex')` : `${column}::text`));

/**
 * What a team writes that has seen findMany become slow: one cursor (pg-query-stream) that gives rows of texts,
 * csv-stringify, gzip, and the upload of lib-storage. It keeps a transaction open for as long as the upload takes, and
 * starts again from nothing after a crash.
 */
await contend<TextbookJob>(async (job) => {
  const client = new pg.Client({ connectionString: job.databaseUrl, options: '-c TimeZone=UTC' });
  await client.connect();
  const rows = new QueryStream(
    `select ${cells.join(', ')} from events where tenant_id = $1 and sequence_number <= $2
     order by occurred_at, sequence_number`,
    [job.tenantId, job.throughRow],
    { batchSize: batchRows, highWaterMark: batchRows, rowMode: 'array' },
  );
  client.query(rows);
  const columns = Object.fromEntries(fields.map(({ path }) => [path, path]));
  const file = await upload(job, [rows, stringify(csvOptions(columns)), createGzip({ level: 1 })]);
  await client.end();
  return file;
});
