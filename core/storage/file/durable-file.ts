import { randomUUID } from 'node:crypto';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, isMissing, ownFileMode } from './layout.ts';

/** Makes or replaces a small file at once and for good: readers see the old text or the new one, after a power cut too. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  const file = await open(temporary, 'wx', ownFileMode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** Systems that cannot sync folders (Windows, some network file systems) do it themselves or not at all. */
const cannotSync = ['EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP'];

/** Brings names made, moved and removed in a folder to the disk. Quiet where that cannot be, or the folder is gone. */
export async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    if (!isMissing(error) && !cannotSync.includes(errorCode(error))) throw error;
  }
}

/** syncFolder for a folder and all above it up to `top`, as any of them may be new. */
export async function syncFoldersUpTo(top: string, path: string): Promise<void> {
  for (let folder = path; folder.length >= top.length; folder = dirname(folder)) {
    await syncFolder(folder);
    if (folder === dirname(folder)) return;
  }
}
