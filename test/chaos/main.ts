import { parseArgs } from 'node:util';
import { findS3 } from '../../local/services/find-s3.ts';
import { chaosSizes, runChaos } from './run-chaos.ts';

const { full, short } = chaosSizes;
const minuteMs = 60_000;

const help = `npm run chaos [-- OPTIONS]

Runs three APIs and four workers on one Postgres, one Redis and one S3, disturbs all of them, and checks that no export is
lost, doubled or left unfinished.

  --seed N       what is done and when follows from it (default: another one each time)
  --exports N    so many exports (default ${full.exports})
  --minutes N    so long (default ${full.forMs / minuteMs})
  --rows N       events of the largest logs (default ${full.rows})
  --short        as in npm test: ${short.exports} exports, ${short.rows} rows, ${short.forMs / minuteMs} minutes
  --keep DIR     write the logs of all processes there, and what was done to them
  --help         show this
`;

/** Runs chaos as the arguments say. Ends with 1 if anything was found. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
      exports: { type: 'string' },
      minutes: { type: 'string' },
      rows: { type: 'string' },
      short: { type: 'boolean', default: false },
      keep: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(help);
  const size = values.short ? short : full;
  const stops: (() => Promise<void>)[] = [];
  const s3 = await findS3(stops);
  if ('missing' in s3) throw new Error(s3.missing);
  try {
    const { mistakes, figures } = await runChaos({
      s3,
      seed: Number(values.seed),
      exports: Number(values.exports ?? size.exports),
      forMs: Number(values.minutes ?? size.forMs / minuteMs) * minuteMs,
      rows: Number(values.rows ?? size.rows),
      limits: size.limits,
      keepIn: values.keep,
      say: sayer(),
    });
    tell(values.seed, mistakes, figures);
    process.exitCode = mistakes.length === 0 ? 0 : 1;
  } finally {
    // Servers that are being ended keep no process from ending.
    const timer = setInterval(() => {}, 1_000);
    for (const stop of stops) await stop();
    clearInterval(timer);
  }
}

function sayer(): (line: string) => void {
  const began = performance.now();
  return (line) => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}`);
}

function tell(seed: string, mistakes: string[], figures: object): void {
  console.table(figures);
  for (const mistake of mistakes) console.log(`WRONG: ${mistake}`);
  const verdict = mistakes.length === 0 ? 'Nothing was lost, doubled or left behind.' : `${mistakes.length} mistakes.`;
  console.log(`${verdict} The seed was ${seed}.`);
}

await main();
