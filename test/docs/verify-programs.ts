import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const documentText = readFileSync(join(import.meta.dirname, '../../docs/verify.md'), 'utf8');
/** The fenced blocks of this language. */
export const blocks = (language: string) =>
  [...documentText.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map((match) => match[1]!);

/** Where the programs and their files are, until removePrograms(). */
export const directory = mkdtempSync(join(tmpdir(), 'logferry-verify-'));
export const file = (name: string, content: string | Uint8Array) => {
  writeFileSync(join(directory, name), content);
  return join(directory, name);
};
const python = file('verify.py', blocks('python')[0]!);
const node = file('verify.mjs', blocks('js')[0]!);
const pythonKnows = (code: string) => spawnSync('python3', ['-c', code]).status === 0;
const hasPython = pythonKnows('');
/** Whether Python has the package that signatures take. */
export const checksSignatures = pythonKnows('import cryptography');

const run = promisify(execFile);
export type Outcome = { status: number; text: string };
type Check = (...files: string[]) => Promise<Outcome>;
const program =
  (command: string, path: string): Check =>
  (...files) =>
    run(command, [path, ...files]).then(
      ({ stdout }) => ({ status: 0, text: stdout }),
      ({ code, stdout, stderr }) => ({ status: code, text: stdout + stderr }),
    );
export const programs: [name: string, check: Check, skipped: boolean][] = [
  ['Node', program(process.execPath, node), false],
  [hasPython ? 'Python' : 'Python (skipped: there is no python3 here)', program('python3', python), !hasPython],
];

export const removePrograms = (): void => rmSync(directory, { recursive: true });
