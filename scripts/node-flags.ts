import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';

/** With what Node runs this program, as scripts/run-command.sh has it. @param program its path from the root */
export function nodeFlags(program: string): string[] {
  const { NODE_FLAGS, API_NODE_FLAGS } = parseEnv(readFileSync(join(import.meta.dirname, 'node-flags.env'), 'utf8'));
  return (/^(api|local)\/(?!worker\/)/.test(program) ? API_NODE_FLAGS : NODE_FLAGS)!.split(' ');
}
