import type { PrismaTransaction } from './client.ts';

/** Does a part of a transaction that may fail without the rest: its error comes through, and what it did is undone. */
export async function savepoint<T>(tx: PrismaTransaction, work: () => Promise<T>): Promise<T> {
  await tx.$executeRawUnsafe('savepoint part');
  try {
    const result = await work();
    await tx.$executeRawUnsafe('release savepoint part');
    return result;
  } catch (error) {
    await tx.$executeRawUnsafe('rollback to savepoint part');
    throw error;
  }
}
