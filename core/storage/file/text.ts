import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFoldersUpTo, writeDurably } from './durable-file.ts';
import { isMissing, layout, ownFolder } from './layout.ts';

/** Deletions of its neighbours may take away the empty folder that was just made. */
const attempts = 5;

/** ObjectStore.writeText. Lies as any object does, so that what reads and removes them does so with this one. */
export async function writeText(directory: string, key: string, text: string): Promise<void> {
  const folder = layout.object(directory, key);
  const etag = createHash('sha256').update(text).digest('hex').slice(0, 32);
  for (let attempt = 1; ; attempt++) {
    try {
      await mkdir(folder, ownFolder);
      await writeDurably(join(folder, layout.content), text);
      await writeDurably(join(folder, layout.objectFile), JSON.stringify({ etag }));
      return await syncFoldersUpTo(directory, dirname(folder));
    } catch (error) {
      if (!isMissing(error) || attempt === attempts) throw error;
    }
  }
}

/** ObjectStore.readText */
export async function readText(directory: string, key: string): Promise<string | undefined> {
  try {
    return await readFile(join(layout.object(directory, key), layout.content), 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
