import { FinalError } from '../errors.ts';
import type { ObjectStore } from './object-store.ts';

/**
 * The store has no room for what is being written. No repetition helps before somebody makes some, and what the export has
 * written so far is room that others need: it fails, and its upload goes.
 */
export class StoreFullError extends FinalError {
  constructor(cause: unknown) {
    super(
      'storage_full',
      'The file storage is full, and what was written of this file has been removed. Create the export again when the operator has made room.',
      cause,
    );
    this.name = 'StoreFullError';
  }
}

/**
 * A limit of stored bytes does not let the file grow. As with a full store, no repetition helps before files have gone.
 * @param limit whose: that of the tenant's plan, in bytes, or that of the deployment, whose figure is the operator's alone
 */
export class StoreLimitError extends FinalError {
  constructor(limit: { of: 'tenant'; bytes: number } | { of: 'all' }) {
    super('storage_full', limit.of === 'tenant' ? tenantIsFull(limit.bytes) : allIsFull);
    this.name = 'StoreLimitError';
  }
}

const tenantIsFull = (bytes: number): string =>
  `The file does not fit: the plan has ${bytes} bytes in stored files ("stored_bytes" of GET /v1/limits). What was written of it has been removed. ` +
  'Delete exports that are not needed any more, or wait for their files to expire, then create the export again.';

const allIsFull =
  'The file does not fit: all files together reach what this deployment may store (LOGFERRY_STORE_LIMIT). What was written of it has been removed. ' +
  'Create the export again when files have expired or the operator has made room.';

/** The storage has no room, as operators are told: nothing that a restart would repair. */
export class NoRoomError extends Error {
  override name = 'NoRoomError';
}

/** The store, whose writes fail with StoreFullError, and its check with NoRoomError, where `isFull` says that this is what is wrong. */
export function tellWhenFull(store: ObjectStore, isFull: (error: unknown) => boolean): ObjectStore {
  const tell = (error: unknown): never => {
    throw isFull(error) ? new StoreFullError(error) : error;
  };
  const warn = (error: Error): never => {
    throw isFull(error.cause) ? new NoRoomError(error.message, { cause: error.cause }) : error;
  };
  return {
    ...store,
    beginUpload: (...given) => store.beginUpload(...given).catch(tell),
    putPart: (...given) => store.putPart(...given).catch(tell),
    completeUpload: (...given) => store.completeUpload(...given).catch(tell),
    check: () => store.check().catch(warn),
    writeText: (...given) => store.writeText(...given).catch(tell),
  };
}
