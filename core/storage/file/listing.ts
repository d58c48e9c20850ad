import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ListedObject, ListOptions } from '../object-store.ts';
import { isMissing, layout } from './layout.ts';

const objectSuffix = '.object';

/** ObjectStore.listObjects; the time is when the content was last written. Memory holds the names of one folder at a time. */
export async function* listObjects(
  directory: string,
  prefix: string,
  { after, pageSize = 1000 }: ListOptions = {},
): AsyncGenerator<ListedObject[]> {
  let page: ListedObject[] = [];
  for await (const object of objectsBelow(layout.objects(directory), prefix, after)) {
    page.push(object);
    if (page.length < pageSize) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** All objects under a folder of keys (`a/b/`, or none) whose keys come behind `after`, in the order of its segments. */
async function* objectsBelow(root: string, folder: string, after: string | undefined): AsyncGenerator<ListedObject> {
  for (const name of await sortedNames(join(root, folder))) {
    if (name.endsWith(objectSuffix)) {
      const key = folder + name.slice(0, -objectSuffix.length);
      const object = after === undefined || isBehind(key, after) ? await readObject(root, key) : undefined;
      if (object) yield object;
      continue;
    }
    // A folder whose every key comes before is not looked into.
    const inner = `${folder}${name}/`;
    if (after === undefined || after.startsWith(inner) || isBehind(inner, after))
      yield* objectsBelow(root, inner, after);
  }
}

/** By segments, as the walk goes: a folder stands where its name does. */
function isBehind(key: string, after: string): boolean {
  const [one, other] = [key.split('/'), after.split('/')];
  const at = one.findIndex((segment, i) => segment !== other[i]);
  return at !== -1 && (other[at] === undefined || one[at]! > other[at]);
}

async function sortedNames(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(folder)) names.push(name);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  // As isBehind() compares: without the suffix, which is no part of the key.
  const segment = (name: string) => (name.endsWith(objectSuffix) ? name.slice(0, -objectSuffix.length) : name);
  return names.sort((a, b) => (segment(a) < segment(b) ? -1 : segment(a) > segment(b) ? 1 : a < b ? -1 : 1));
}

/** undefined for one that was deleted meanwhile. */
async function readObject(root: string, key: string): Promise<ListedObject | undefined> {
  try {
    const { mtime } = await stat(join(root, `${key}${objectSuffix}`, layout.content));
    return { key, modifiedAt: mtime };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
