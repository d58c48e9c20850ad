import { chmodSync, cpSync, linkSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { root } from './read-compose.ts';
import { copies, finalStage } from './read-dockerfile.ts';

/**
 * The file system of the image, as far as the Dockerfile copies it, in a folder of its own: `app`, and `bin` with Node. What
 * its other stage makes is taken from the checkout: the packages that `npm ci --omit=dev --omit=optional` would install.
 */
export async function assembleImage(): Promise<{ directory: string; app: string; bin: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'logferry-image-'));
  // For the user that the programs run as.
  chmodSync(directory, 0o755);
  const [app, bin] = [join(directory, 'app'), join(directory, 'bin')];
  mkdirSync(bin);
  link(process.execPath, join(bin, 'node'));
  for (const { from, sources, target } of copies(finalStage())) {
    for (const source of sources) {
      if (from === 'packages') await linkPackages(app);
      else await cp(join(root, source), placeOf(source, join(app, target), target), { recursive: true });
    }
  }
  return { directory, app, bin };
}

/** As COPY has it: into a folder if the target ends with a slash, else to that very name. */
const placeOf = (source: string, place: string, target: string): string =>
  target.endsWith('/') || target === './' ? join(place, basename(source)) : place;

export type LockEntry = { dev?: boolean; optional?: boolean; devOptional?: boolean };

/** Paths of the packages that are neither for development nor optional. */
export function productionPackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  return Object.entries<LockEntry>(packages)
    .filter(([path, { dev, optional, devOptional }]) => path && !dev && !optional && !devOptional)
    .map(([path]) => path);
}

async function linkPackages(app: string): Promise<void> {
  const wanted = new Set(productionPackages());
  for (const path of wanted) {
    await cp(join(root, path), join(app, path), {
      recursive: true,
      // A package below this one is in the list itself, or is not wanted.
      filter: (source) => basename(source) !== 'node_modules',
    });
  }
}

/** Copying is for when /tmp is another disk. */
function link(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  try {
    linkSync(from, to);
  } catch {
    cpSync(from, to);
  }
}
