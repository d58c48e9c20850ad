import { fileURLToPath } from 'node:url';
import type { Config } from '../config.ts';
import { storageEngineOf } from '../engines.ts';
import { openFileStore } from './file/open-file.ts';
import type { ObjectStore } from './object-store.ts';
import { openS3Store } from './s3/open-s3.ts';
import { readS3Options } from './s3/options.ts';

/** The store that STORAGE_URL names. @throws ConfigError */
export function openStore(config: Config, linkKey: Buffer): ObjectStore {
  const url = new URL(config.storageUrl);
  if (storageEngineOf(config) === 'file') {
    return openFileStore({ directory: fileURLToPath(url), publicUrl: config.publicUrl, linkKey });
  }
  return openS3Store(readS3Options(config));
}
