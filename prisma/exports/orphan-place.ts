import type { Database } from '../client.ts';

/** The row of settings with the key behind which the look for orphaned files goes on (worker/sweep/remove-orphans.ts). */
const placeName = 'orphans.looked_through';

/** The last key that was looked at, if the look before came to no end. */
export async function readPlace({ prisma }: Pick<Database, 'prisma'>): Promise<string | undefined> {
  return (await prisma.setting.findUnique({ where: { name: placeName } }))?.value;
}

/** @param key undefined when all has been looked through: the next look begins anew */
export async function savePlace({ prisma }: Pick<Database, 'prisma'>, key: string | undefined): Promise<void> {
  if (key === undefined) await prisma.setting.deleteMany({ where: { name: placeName } });
  else {
    const data = { name: placeName, value: key };
    await prisma.setting.upsert({ where: { name: placeName }, create: data, update: data });
  }
}
