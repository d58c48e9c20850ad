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

/** The store, whose writes fail with StoreFullError where `isFull` says that this is what is wrong. */
export function tellWhenFull(store: ObjectStore, isFull: (error: unknown) => boolean): ObjectStore {
  const tell = (error: unknown): never => {
    throw isFull(error) ? new StoreFullError(error) : error;
  };
  return {
    ...store,
    beginUpload: (...given) => store.beginUpload(...given).catch(tell),
    putPart: (...given) => store.putPart(...given).catch(tell),
    completeUpload: (...given) => store.completeUpload(...given).catch(tell),
  };
}
