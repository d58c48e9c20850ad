import type { SecretKey } from '../../core/secret-key.ts';
import type { Prisma } from '../client.ts';
import { fingerprintName } from './fingerprint-setting.ts';

/** Rows that are read, and sealed anew, at a time. */
const batchRows = 500;

type Key = Pick<SecretKey, 'seal' | 'open' | 'isSealedAnew' | 'fingerprint'>;
type Column = { table: string; id: string; column: string };

/** Everything that is sealed. Whatever is sealed with core/secret-key.ts besides belongs here. */
const sealedColumns: readonly Column[] = [
  { table: 'webhooks', id: 'id', column: 'secret' },
  { table: 'webhooks', id: 'id', column: 'previous_secret' },
  { table: 'signing_keys', id: 'kid', column: 'private_key' },
];

/**
 * Seals with the present key all that was sealed with one before, then has the database know it by the present key: from then
 * on no process needs the others. May be interrupted and run again, and run while processes go on that have both keys.
 * @returns how many secrets were sealed anew
 * @throws Error when something was sealed with a key that is not among them; the database then still knows the old one
 */
export async function reseal(prisma: Prisma, key: Key): Promise<number> {
  let resealed = 0;
  // Processes may still seal with a key before, as long as it is the present one to them: so until nothing is found any more.
  for (let found = -1; found !== 0; resealed += found) {
    found = 0;
    for (const column of sealedColumns) found += await resealColumn(prisma, key, column);
  }
  await prisma.setting.upsert({
    where: { name: fingerprintName },
    create: { name: fingerprintName, value: key.fingerprint },
    update: { value: key.fingerprint },
  });
  return resealed;
}

async function resealColumn(prisma: Prisma, key: Key, { table, id, column }: Column): Promise<number> {
  let resealed = 0;
  let after = '';
  for (;;) {
    const rows = await prisma.$queryRawUnsafe<{ id: string; sealed: Uint8Array }[]>(
      `select ${id}::text as id, ${column} as sealed from ${table}
       where ${column} is not null and ${id}::text > $1 order by ${id}::text limit ${batchRows}`,
      after,
    );
    for (const row of rows) if (await resealOne(prisma, key, { table, id, column, row })) resealed++;
    if (rows.length < batchRows) return resealed;
    after = rows.at(-1)!.id;
  }
}

async function resealOne(
  prisma: Prisma,
  key: Key,
  { table, id, column, row }: Column & { row: { id: string; sealed: Uint8Array } },
): Promise<boolean> {
  if (key.isSealedAnew(row.sealed)) return false;
  let text: string;
  try {
    text = key.open(row.sealed);
  } catch (cause) {
    const message = `${table}.${column} of ${row.id} is sealed with a key that is neither LOGFERRY_SECRET_KEY nor in LOGFERRY_SECRET_KEY_PREVIOUS. Add that key to LOGFERRY_SECRET_KEY_PREVIOUS.`;
    throw new Error(message, { cause });
  }
  // What somebody has replaced meanwhile stays; the next round looks at it.
  await prisma.$executeRawUnsafe(
    `update ${table} set ${column} = $1 where ${id}::text = $2 and ${column} = $3`,
    key.seal(text),
    row.id,
    Buffer.from(row.sealed),
  );
  return true;
}
