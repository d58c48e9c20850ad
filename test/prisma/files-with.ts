import type { Database } from '../../prisma/client.ts';

/** Files of this database's tables and indexes that hold these bytes. The server reads them: it may be kept anywhere. */
export async function filesWith({ pool }: Pick<Database, 'pool'>, text: string): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>(
    `select folder || name as name
     from (select 'base/' || oid || '/' as folder from pg_database where datname = current_database()) as place,
       lateral pg_ls_dir(folder) as name
     where position(convert_to($1, 'UTF8') in pg_read_binary_file(folder || name)) > 0`,
    [text],
  );
  return rows.map(({ name }) => name);
}
