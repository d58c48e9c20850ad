import type { Config } from './config.ts';

/** What the queue runs on, by its URL. */
export type QueueEngine = 'redis' | 'postgresql';
/** What files are stored in. */
export type StorageEngine = 's3' | 'file';

/** What a queue's URL names; the schemes are those that the configuration lets through. */
export const queueEngineOf = (url: string): QueueEngine => (/^rediss?:/i.test(url) ? 'redis' : 'postgresql');

/** What STORAGE_URL, or the default for it, names. */
export const storageEngineOf = ({ storageUrl }: Pick<Config, 'storageUrl'>): StorageEngine =>
  /^file:/i.test(storageUrl) ? 'file' : 's3';
