import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { folders, importsOf, sources } from './source-files.ts';

/** Files of one room. More have more than one subject, and nobody finds anything in one guess. */
const mostFiles = 20;

const rooms = [...new Set(sources.map((file) => dirname(file)))];

describe('A room', () => {
  test.each(rooms)('%s has at most 20 files and is at most two levels below the top', (room) => {
    expect(sources.filter((file) => dirname(file) === room).length).toBeLessThanOrEqual(mostFiles);
    expect(room.split('/').length).toBeLessThanOrEqual(3);
  });
});

const imports = new Map(sources.map((file) => [file, importsOf(file).filter((target) => sources.includes(target))]));

describe('Imports, those of types among them, run in no circle', () => {
  test('between files', () => {
    expect(circles(sources, (file) => imports.get(file)!)).toEqual([]);
  });

  test('between the rooms at the top', () => {
    expect(circlesBelow('')).toEqual([]);
  });

  test.each(folders)('between the rooms of %s', (folder) => {
    expect(circlesBelow(`${folder}/`)).toEqual([]);
  });

  test('that goes unseen', () => {
    const arrows: Record<string, string[]> = { a: ['b'], b: ['c'], c: ['a', 'd'], d: [] };
    expect(circles(Object.keys(arrows), (name) => arrows[name]!)).toEqual([['a', 'b', 'c']]);
  });
});

/** Circles between the rooms of a folder. What lies in the folder itself is shared by all of them. */
function circlesBelow(folder: string): string[][] {
  const roomOf = (file: string): string | undefined =>
    file.startsWith(folder) && file.indexOf('/', folder.length) > 0
      ? file.slice(0, file.indexOf('/', folder.length))
      : undefined;
  const arrows = new Map<string, Set<string>>();
  for (const [file, targets] of imports) {
    const from = roomOf(file);
    if (!from) continue;
    const to = targets.map(roomOf).filter((room) => room !== undefined && room !== from) as string[];
    arrows.set(from, new Set([...(arrows.get(from) ?? []), ...to]));
  }
  return circles([...arrows.keys()], (room) => [...(arrows.get(room) ?? [])]);
}

/** The sets of names that reach each other: strongly connected components, as Tarjan finds them, of more than one. */
function circles(names: readonly string[], arrowsOf: (name: string) => readonly string[]): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const found: string[][] = [];
  const visit = (name: string) => {
    order.set(name, order.size);
    lowest.set(name, order.get(name)!);
    open.push(name);
    for (const next of arrowsOf(name)) {
      if (!order.has(next)) visit(next);
      if (open.includes(next)) lowest.set(name, Math.min(lowest.get(name)!, lowest.get(next)!));
    }
    if (lowest.get(name) !== order.get(name)) return;
    const circle = open.splice(open.indexOf(name));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const name of names) if (!order.has(name)) visit(name);
  return found;
}
