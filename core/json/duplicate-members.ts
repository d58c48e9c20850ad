import { code, endOfString, isKey, type JsonBytes } from './scan-json.ts';

/** Members of all objects inside, which are fewer than a text has keys if one of them occurs twice in its object. */
export function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') count += countMembers(item);
    return count;
  }
  for (const key in value) {
    const inner = (value as Record<string, unknown>)[key];
    // Asked here already: most are no objects, and a call for each would cost more than the count.
    count += typeof inner === 'object' ? 1 + countMembers(inner) : 1;
  }
  return count;
}

/** Where the text is: an object or a list, and what of it comes next. */
type Level = { keys: Set<string> | undefined; at: string | number };

/** The path of the first member that occurs twice in its object. The text is JSON that JSON.parse has taken. */
export function findDuplicateMember(bytes: JsonBytes): string[] | undefined {
  const levels: Level[] = [];
  for (let i = 0; i < bytes.length; i++) {
    const level = levels.at(-1);
    switch (bytes[i]) {
      case code.openObject:
        levels.push({ keys: new Set(), at: '' });
        break;
      case code.openList:
        levels.push({ keys: undefined, at: 0 });
        break;
      case code.closeObject:
      case code.closeList:
        levels.pop();
        break;
      case code.comma:
        if (typeof level!.at === 'number') level!.at++;
        break;
      case code.quote: {
        const end = endOfString(bytes, i);
        if (level?.keys && isKey(bytes, end)) {
          level.at = JSON.parse(bytes.toString('utf8', i, end + 1)) as string;
          if (level.keys.has(level.at)) return levels.map(({ at }) => String(at));
          level.keys.add(level.at);
        }
        i = end;
      }
    }
  }
  return undefined;
}
