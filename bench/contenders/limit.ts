import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { eventFields } from '../../core/events/events.ts';

/** What PostgreSQL itself can push out: COPY of the same rows and columns in the same order, with nothing done about them. */
export type Limit = {
  /** Which program asks for it. */
  program: 'psql' | 'pg';
  /** A line of sh that prints the rows. */
  line(what: { tenantId: string; format: 'csv' | 'json'; fromRow?: number; throughRow: number }): string;
};

/** psql if it is in PATH, else a program of ours that asks for the same and writes down what comes. */
export function findLimit(databaseUrl: string): Limit {
  const hasPsql = spawnSync('psql', ['--version'], { stdio: 'ignore' }).status === 0;
  return {
    program: hasPsql ? 'psql' : 'pg',
    line(what) {
      const statement = copyStatement(what);
      return hasPsql
        ? `PGOPTIONS='-c TimeZone=UTC' psql --no-psqlrc --quiet ${quoted(databaseUrl)} --command ${quoted(statement)}`
        : [process.execPath, join(import.meta.dirname, 'print-copy.ts'), databaseUrl, statement].map(quoted).join(' ');
    },
  };
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Rows by number, which is their order by time as well, so that an index gives them in order. */
function copyStatement({ tenantId, format, fromRow = 0, throughRow }: Parameters<Limit['line']>[0]): string {
  const rows = `from events where tenant_id = '${tenantId}' and sequence_number > ${fromRow}
    and sequence_number <= ${throughRow} order by occurred_at, sequence_number`.replaceAll(/\s+/g, ' ');
  const columns = eventFields.flatMap((field) => (field.csv ? field.column : [])).join(', ');
  if (format === 'csv') return `copy (select ${columns} ${rows}) to stdout with (format csv, header)`;
  return `copy (select row_to_json(event) from (select ${columns} ${rows}) as event) to stdout`;
}
