import { closeSync, openSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { unknownName } from '../../core/nearest-name.ts';
import { DemoError } from './demo-error.ts';

/** What the demo loads: a file of events, or so many made ones. */
export type DemoSource = { file: string } | { rows: number };

const defaultRows = 200_000;
const mostRows = 100_000_000;

export const demoHelp = `npm run demo [-- OPTIONS]

Does the whole job once, on this machine: starts Logferry on free ports, loads events, exports them,
receives the webhook, downloads the file and checks it against the database.

  --events FILE   load this file: NDJSON, one event a line, as POST /v1/events takes it
  --rows N        make N events instead (1 to ${mostRows.toLocaleString('en')}; default ${defaultRows.toLocaleString('en')})
  --help          show this

It keeps its database and its files in .data/demo, or where LOGFERRY_DATA says.
`;

const options = { events: { type: 'string' }, rows: { type: 'string' }, help: { type: 'boolean' } } as const;

/**
 * Reads the arguments; undefined asks for the help.
 * @param directory what a relative file name is relative to
 * @throws DemoError (exit code 2) that says what is wrong, in one line
 */
export function readDemoOptions(args: string[], directory: string): DemoSource | undefined {
  // Not strict: its own messages take several lines.
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true });
  const given = new Map<string, string | undefined>();
  for (const token of tokens) {
    if (token.kind === 'positional')
      throw wrong(`The demo takes no argument "${token.value}"; files go after --events.`);
    if (token.kind !== 'option') continue;
    if (!Object.hasOwn(options, token.name)) {
      const names = Object.keys(options).map((name) => `--${name}`);
      throw wrong(`${capitalised(unknownName('option', token.rawName, names))}.`);
    }
    if (given.has(token.name)) throw wrong(`--${token.name} is given twice.`);
    given.set(token.name, token.value);
  }
  if (given.has('help')) return undefined;
  if (given.has('events') && given.has('rows')) {
    throw wrong('--rows is the number of made events: it does not go with --events.');
  }
  if (given.has('events')) return { file: readableFile(given.get('events'), directory) };
  return { rows: given.has('rows') ? rowCount(given.get('rows')) : defaultRows };
}

const wrong = (message: string): DemoError => new DemoError(message, 2);
const capitalised = (text: string): string => text[0]!.toUpperCase() + text.slice(1);

function rowCount(text: string | undefined): number {
  const rows = /^\d{1,9}$/.test(text ?? '') ? Number(text) : 0;
  if (rows >= 1 && rows <= mostRows) return rows;
  throw wrong(`--rows must be a whole number from 1 to ${mostRows}${text === undefined ? '' : `, not "${text}"`}.`);
}

function readableFile(name: string | undefined, directory: string): string {
  if (!name) throw wrong('--events needs the name of a file.');
  const file = resolve(directory, name);
  try {
    if (statSync(file).isDirectory()) throw wrong(`${file} is a directory; --events needs a file.`);
    closeSync(openSync(file, 'r'));
    return file;
  } catch (error) {
    if (error instanceof DemoError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw wrong(`There is no file ${file}.`);
    throw wrong(`${file} cannot be read (${code}).`);
  }
}
