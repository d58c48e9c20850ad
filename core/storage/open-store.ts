import { fileURLToPath } from 'node:url';
import { type Config, ConfigError } from '../config.ts';
import { openFileStore } from './file.ts';
import type { ObjectStore } from './object-store.ts';

/** The store that STORAGE_URL names. @throws ConfigError */
export function openStore(config: Config, linkKey: Buffer): ObjectStore {
  const url = new URL(config.storageUrl);
  if (url.protocol === 'file:') {
    return openFileStore({ directory: fileURLToPath(url), publicUrl: config.publicUrl, linkKey });
  }
  throw new ConfigError(['STORAGE_URL: this version keeps files on disk (file:///path); s3:// is not there yet']);
}
