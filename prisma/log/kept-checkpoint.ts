import { AppError } from '../../core/errors.ts';
import { type Checkpoint, readCheckpoint } from '../../core/evidence/checkpoint.ts';
import type { ObjectStore } from '../../core/storage/object-store.ts';
import { LogContradictionError } from './contradictions.ts';

/** What is used of the storage. */
export type TextStore = Pick<ObjectStore, 'readText' | 'writeText' | 'deleteObject'>;

/**
 * Where the greatest checkpoint that was shown of a tenant's log is kept outside of the database: there a database that was
 * restored is found out.
 */
export const checkpointKey = (tenantId: string): string => `${logFolder(tenantId)}checkpoint`;

/** All that the storage has of a tenant's log. */
export const logFolder = (tenantId: string): string => `log/${tenantId}/`;

/** Milliseconds for the storage to answer: whoever waits is a request, or the end of an export. */
const limitMs = 5_000;

/** @throws AppError unavailable without the storage; LogContradictionError for what stands there and is none */
export async function readKept(store: TextStore, tenantId: string): Promise<Checkpoint | undefined> {
  const options = { signal: AbortSignal.timeout(limitMs) };
  const note = await store.readText(checkpointKey(tenantId), options).catch(tellAway);
  if (note === undefined) return undefined;
  const checkpoint = readCheckpoint(note);
  if (!checkpoint) throw new LogContradictionError('what is kept in the storage as its checkpoint cannot be read');
  return checkpoint;
}

/** @throws AppError unavailable */
export async function writeKept(store: TextStore, tenantId: string, note: string): Promise<void> {
  const options = { signal: AbortSignal.timeout(limitMs) };
  await store.writeText(checkpointKey(tenantId), note, options).catch(tellAway);
}

/** For a tenant that is being deleted. @throws AppError unavailable */
export async function removeKept(store: TextStore, tenantId: string): Promise<void> {
  await store.deleteObject(checkpointKey(tenantId)).catch(tellAway);
}

function tellAway(cause: unknown): never {
  const message = 'Checkpoints are kept in the file storage, which does not answer. Try again in a few seconds.';
  throw new AppError('unavailable', message, { cause, headers: { 'Retry-After': '5' } });
}
