import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** The repository. */
export const root = join(import.meta.dirname, '..');
export const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const isOurs = (name: string): boolean =>
  !/(^|\/)(node_modules|\.git|\.data|\.setup-lock|generated|results)(\/|$)/.test(name);
export const find = (pattern: string): string[] =>
  globSync(pattern, { cwd: root, exclude: (name) => !isOurs(name) })
    .filter(isOurs)
    .sort();

/** The rooms at the top that hold what runs. */
export const folders = ['core', 'prisma', 'api', 'worker', 'local', 'doctor', 'bench'];
export const sources = find(`{${folders.join(',')}}/**/*.ts`);

/** What a file imports, statically or not: packages by name, our own files by their path from the root. */
export function importsOf(file: string): string[] {
  const specifiers = read(file).matchAll(
    /(?:^|\s)(?:import|export)\s[^'"]*?from\s+'([^']+)'|(?:^|\W)import\s*\(?\s*'([^']+)'/g,
  );
  return [...specifiers].map(([, name, other]) => {
    const specifier = (name ?? other)!;
    return specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : specifier;
  });
}

export const folderOf = (file: string): string => file.split('/')[0]!;
/** The package of `zod/v4` or `@prisma/client/runtime`. */
export const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
