import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { root } from './read-compose.ts';

/** What a program loads, from its main file on: our files, and packages by name. */
export function importClosure(mains: string[]): { files: string[]; packages: string[] } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string) => {
    if (files.has(file)) return;
    files.add(file);
    if (!existsSync(join(root, file))) throw new Error(`${file} is imported, but not there`);
    if (!file.endsWith('.ts') && !file.endsWith('.mjs')) return;
    for (const specifier of specifiers(readFileSync(join(root, file), 'utf8'))) {
      if (specifier.startsWith('.')) visit(normalize(join(dirname(file), specifier)));
      else if (!specifier.startsWith('node:')) packages.add(packageOf(specifier));
    }
  };
  for (const main of mains) visit(main);
  return { files: [...files].sort(), packages: [...packages].sort() };
}

/** Imports for types alone are gone before Node runs the file. */
function specifiers(source: string): string[] {
  const found = source.matchAll(
    /(?:^|\n)\s*(?:import|export)\s(?!type\s)[^'";]*?from\s+'([^']+)'|(?:^|\W)import\s*\(?\s*'([^']+)'/g,
  );
  return [...found].map(([, name, other]) => (name ?? other)!);
}

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
