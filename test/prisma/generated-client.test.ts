import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { findGenerators } from '../clients/find-generators.ts';

const generators = findGenerators();
const root = join(import.meta.dirname, '..', '..');

describe.skipIf(!generators)('The Prisma client in the repository', () => {
  let directory: string;
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('is what `npm run generate` makes of the schema', async () => {
    directory = await mkdtemp(join(tmpdir(), 'logferry-client-'));
    for (const file of ['prisma/schema.prisma', 'prisma.config.ts', 'scripts/generate-client.sh', 'package.json']) {
      await cp(join(root, file), join(directory, file));
    }
    await symlink(join(generators!, 'node_modules'), join(directory, 'node_modules'));
    const prisma = join(generators!, 'node_modules/prisma/build/index.js');
    const script = join(directory, 'scripts/generate-client.sh');
    await promisify(execFile)('sh', [script, process.execPath, prisma], { cwd: directory });
    const [made, kept] = [join(directory, 'prisma/generated'), join(root, 'prisma/generated')];
    const files = await namesIn(made);
    expect(await namesIn(kept)).toEqual(files);
    for (const file of files)
      expect(await readFile(join(kept, file), 'utf8')).toBe(await readFile(join(made, file), 'utf8'));
  });
});

const namesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length))
    .sort();
