import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import { storageEngineOf } from '../engines.ts';
import type { KeyRing } from '../secret-key.ts';
import { isFull as isFullDisk } from './file/layout.ts';
import { openFileStore } from './file/open-file.ts';
import type { ObjectStore } from './object-store.ts';
import { isFull as isFullS3 } from './s3/errors.ts';
import { openS3Store } from './s3/open-s3.ts';
import { readS3Options } from './s3/options.ts';
import { tellWhenFull } from './store-full.ts';

/** The store that STORAGE_URL names; its writes fail with StoreFullError when it has no room. @throws ConfigError */
export function openStore(config: Config, [linkKey]: KeyRing): ObjectStore {
  const url = new URL(config.storageUrl);
  if (storageEngineOf(config) === 'file') {
    const store = openFileStore({ directory: fileURLToPath(url), publicUrl: config.publicUrl, linkKey });
    return tellWhenFull(store, isFullDisk);
  }
  return tellWhenFull(openS3Store(readS3Options(config)), isFullS3);
}
