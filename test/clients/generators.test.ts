import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Exporting, startExporting } from '../worker/export-fixture.ts';
import { findGenerators } from './find-generators.ts';

const installed = findGenerators();
const sources = join(import.meta.dirname, 'generated');

const run = promisify(execFile);

/** As users of other languages do: the document as it is served, and the generators as they come. */
describe.skipIf(!installed)('A client that was generated from the document', () => {
  let app: Exporting;
  let directory: string;
  let ids: string[];
  beforeAll(async () => {
    app = await startExporting();
    directory = await mkdtemp(join(tmpdir(), 'logferry-generated-'));
    await symlink(join(installed!, 'node_modules'), join(directory, 'node_modules'));
    const document = (await (await fetch(`${app.url}/openapi.json`)).json()) as { paths: Record<string, object> };
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
    ids = operations.map(({ operationId }: { operationId: string }) => operationId);
    await writeFile(join(directory, 'openapi.json'), JSON.stringify(document));
  });
  afterAll(async () => {
    await app.close();
    await rm(directory, { recursive: true, force: true });
  });

  const tool = (name: string, ...args: string[]) =>
    run(process.execPath, [join(directory, 'node_modules', name), ...args], { cwd: directory });
  const snake = (id: string) => id.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const newKey = async () => (await app.newTenant()).key;

  /** Compiles what uses the client, strictly, and runs it. */
  async function use(source: string): Promise<string> {
    await copyFile(join(sources, source), join(directory, source));
    const strict = ['--strict', '--skipLibCheck', '--noEmitOnError', '--types', 'node'];
    const modules = ['--module', 'commonjs', '--moduleResolution', 'node10', '--target', 'es2022', '--esModuleInterop'];
    await tool('typescript/bin/tsc', ...strict, ...modules, '--outDir', 'compiled', source).catch((error) => {
      throw new Error(error.stdout);
    });
    const { stdout } = await run(
      process.execPath,
      [join(directory, 'compiled', source.replace('.ts', '.js')), app.url, await newKey()],
      { cwd: directory },
    );
    return stdout.trim();
  }

  it('by @hey-api/openapi-ts has every operation, and writes, lists, exports and reads typed errors', async () => {
    await tool('@hey-api/openapi-ts/bin/run.js', '-i', 'openapi.json', '-o', 'hey-api');
    const calls = await readFile(join(directory, 'hey-api', 'sdk.gen.ts'), 'utf8');
    expect(ids.filter((id) => !calls.includes(`export const ${id} =`))).toEqual([]);
    expect(await use('use-hey-api.ts')).toBe('validation_error filter.from');
  });

  it('by openapi-typescript has every operation, and writes, lists, exports and reads typed errors', async () => {
    await tool('openapi-typescript/bin/cli.js', 'openapi.json', '-o', 'openapi-typescript.ts');
    const types = await readFile(join(directory, 'openapi-typescript.ts'), 'utf8');
    expect(ids.filter((id) => !types.includes(`    ${id}: {`))).toEqual([]);
    expect(await use('use-openapi-typescript.ts')).toBe('validation_error filter.from');
  });

  it('by openapi-python-client has every operation, and writes, lists, exports and reads typed errors', async () => {
    const bin = join(installed!, 'python', 'bin');
    const output = join(directory, 'logferry_client');
    await run(
      join(bin, 'python'),
      ['-m', 'openapi_python_client', 'generate', '--path', 'openapi.json', '--output-path', output, '--meta', 'none'],
      { cwd: directory, env: { ...process.env, PATH: `${bin}:${process.env.PATH}` } },
    );
    const files = await readdir(join(output, 'api'), { recursive: true });
    const calls = new Set(files.map((file) => file.split('/').at(-1)));
    expect(ids.filter((id) => !calls.has(`${snake(id)}.py`))).toEqual([]);
    const { stdout } = await run(join(bin, 'python'), [
      join(sources, 'use-python.py'),
      directory,
      app.url,
      await newKey(),
    ]);
    expect(stdout.trim()).toBe('validation_error filter.from');
  });
});
