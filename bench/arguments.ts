import { parseArgs } from 'node:util';

/** How large a run is. */
export type Size = {
  /** Events of the measured log. */
  rows: number;
  /** Events of the large log, whose first tenth is exported as well. */
  largeRows: number;
  rounds: number;
  /** The measures to take, such as P1; all if empty. */
  only: string[];
  /** Where table and figures are written. */
  directory: string;
  /** Where CPU profiles of API and workers go, if they are wanted. */
  profiles: string | undefined;
};

/** A run that somebody waits for. */
export const isShort = (rows: number): boolean => rows < 500_000;

export const benchHelp = `npm run bench [-- OPTIONS]

Measures Logferry beside what PostgreSQL itself can do and beside what most teams write, in turns, on this machine.

  --rows N      events of the measured log (default 1000000)
  --large N     events of the large log (default ten times as many, five times below 500000)
  --rounds N    rounds, after one to warm up (default 5)
  --only LIST   only these measures: P1,P8
  --out DIR     where the table and the figures go (default bench/results)
  --profile DIR write CPU profiles of API and workers there, for Chrome's or VS Code's viewer; they cost some speed
  --help        show this

100,000 rows and 3 rounds take three to four minutes on 2 cores.
`;

/** @returns undefined if help is asked for. @throws TypeError, one line for the user, on arguments that are none */
export function readSize(args: string[]): Size | undefined {
  const { values } = parseArgs({
    args,
    options: {
      rows: { type: 'string', default: '1000000' },
      large: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      only: { type: 'string', default: '' },
      out: { type: 'string', default: 'bench/results' },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const rows = whole('rows', values.rows, 1_000);
  return {
    rows,
    largeRows: whole('large', values.large ?? String((isShort(rows) ? 5 : 10) * rows), rows),
    rounds: whole('rounds', values.rounds, 1),
    only: values.only.split(',').filter(Boolean),
    directory: values.out,
    profiles: values.profile,
  };
}

function whole(name: string, text: string, least: number): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new TypeError(`--${name} must be a whole number from ${least} on`);
}
