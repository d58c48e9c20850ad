import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './read-compose.ts';

/** One line of the Dockerfile, continued lines joined: `COPY` and what follows it. */
export type Instruction = { name: string; rest: string };
export type Copy = { from?: string; sources: string[]; target: string };

/** The stages of the Dockerfile in order, each from its FROM to the next. */
export function readStages(): Instruction[][] {
  const lines = readFileSync(join(root, 'Dockerfile'), 'utf8')
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim());
  const stages: Instruction[][] = [];
  for (const line of lines) {
    const [, name, rest] = /^(\w+)\s+(.*)$/.exec(line)!;
    if (name === 'FROM') stages.push([]);
    stages.at(-1)!.push({ name: name!, rest: rest! });
  }
  return stages;
}

/** The image itself: its last stage. */
export const finalStage = (): Instruction[] => readStages().at(-1)!;

/** What follows the instruction of this name in the image. @throws Error if it does not stand there once */
export function instruction(name: string): string {
  const found = finalStage().filter((each) => each.name === name);
  if (found.length !== 1) throw new Error(`The image has ${found.length} times ${name}`);
  return found[0]!.rest;
}

/** The JSON array of an instruction in exec form. */
export const execForm = (rest: string): string[] => JSON.parse(rest.slice(rest.indexOf('[')));

/** `ENV` of the image. */
export const imageEnvironment = (): Record<string, string> =>
  Object.fromEntries([...instruction('ENV').matchAll(/(\w+)=(\S+)/g)].map(([, name, value]) => [name!, value!]));

export function copies(stage: Instruction[]): Copy[] {
  return stage
    .filter(({ name }) => name === 'COPY')
    .map(({ rest }) => {
      const words = rest.split(/\s+/);
      const from = words[0]!.startsWith('--from=') ? words.shift()!.slice('--from='.length) : undefined;
      return { from, sources: words.slice(0, -1), target: words.at(-1)! };
    });
}

/** Whether .dockerignore lets this path of the checkout through. It knows the patterns that stand there: paths, `*` and `!`. */
export function isSent(path: string): boolean {
  const patterns = readFileSync(join(root, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'));
  let sent = true;
  for (const pattern of patterns) {
    const name = pattern.replace(/^!/, '');
    if (name === '*' || path === name || path.startsWith(`${name}/`)) sent = pattern.startsWith('!');
  }
  return sent;
}
