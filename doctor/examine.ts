import { randomBytes } from 'node:crypto';
import type { Config } from '../core/config.ts';
import type { Finding } from '../core/findings.ts';
import { makeLog } from '../core/log.ts';
import { readSecret, type SecretKey, secretKey, secretKeyFile } from '../core/secret-key.ts';
import { openStore } from '../core/storage/open-store.ts';
import { inspectDatabase } from '../prisma/inspect/database.ts';
import { openQueue } from '../prisma/open-queue.ts';
import { checkConfiguration } from './check-configuration.ts';
import { checkMachine } from './check-machine.ts';
import { look } from './look.ts';
import { readConfiguration } from './read-configuration.ts';

/** A storage that is slow is waited for, so that nothing is left in it. */
const storagePatience = {
  patienceMs: 60_000,
  leaves: 'A small object may be left under inspect/: delete it.',
};

/**
 * Looks at all that a deployment needs, part by part and side by side: one that is down or hangs keeps none of the others
 * from being looked at. Changes nothing but for a small object that the storage is to keep for a moment. Takes ten seconds
 * at most, a minute where the storage is slow.
 */
export async function examine(environment: Record<string, string | undefined>): Promise<Finding[]> {
  const { config, spoiled, findings } = readConfiguration(environment);
  const text =
    config.LOGFERRY_SECRET_KEY ?? (await readSecret(config.LOGFERRY_DATA, secretKeyFile).catch(() => undefined));
  const key = text === undefined ? undefined : secretKey(text, config.LOGFERRY_SECRET_KEY_PREVIOUS);
  const unless = (name: string, about: string, work: () => Promise<Finding[]>, patience = {}) =>
    spoiled.has(name) ? [] : look(about, work, patience);
  const looks = await Promise.all([
    look('configuration', () => checkConfiguration(config, key !== undefined)),
    look('machine', () => checkMachine(config)),
    unless('DATABASE_URL', 'database', () => lookAtDatabase(config, key)),
    unless('QUEUE_URL', 'queue', () => lookAtQueue(config)),
    unless('STORAGE_URL', 'storage', () => lookAtStorage(config, key), storagePatience),
  ]);
  return [...findings, ...looks.flat()];
}

async function lookAtDatabase(config: Config, key: SecretKey | undefined): Promise<Finding[]> {
  if (!config.DATABASE_URL) {
    const text =
      'DATABASE_URL is not set: "npm start" brings its own PostgreSQL; "npm run api" and "npm run worker" need one';
    return [{ level: 'ok', about: 'database', text }];
  }
  const hasQueue = config.QUEUE_URL === undefined;
  return inspectDatabase(config.DATABASE_URL, { config, hasQueue, secretKey: key });
}

async function lookAtQueue(config: Config): Promise<Finding[]> {
  const url = config.QUEUE_URL ?? config.DATABASE_URL;
  if (!url) return [{ level: 'ok', about: 'queue', text: 'QUEUE_URL is not set: the queue is in the database' }];
  const queue = openQueue(url, makeLog('silent'));
  try {
    return await queue.inspect();
  } finally {
    await queue.close();
  }
}

async function lookAtStorage(config: Config, key: SecretKey | undefined): Promise<Finding[]> {
  // Links are signed by it; none is given out here.
  const { linkKeys } = key ?? secretKey(randomBytes(32).toString('base64'));
  const store = openStore(config, linkKeys);
  try {
    return await store.inspect();
  } finally {
    await store.close();
  }
}
