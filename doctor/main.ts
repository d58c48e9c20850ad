import { unknownName } from '../core/nearest-name.ts';
import { examine } from './examine.ts';
import { countFindings, printFindings, printJson } from './print-findings.ts';

const help = `npm run doctor [-- OPTIONS]

Looks at all that Logferry needs, by the same environment as it runs with: configuration, this machine, database,
queue and storage. It changes nothing, but puts a small object into the storage and takes it away again.

  --json   print one JSON object instead of lines
  --help   show this

Ends with 0 when nothing failed, 1 when something did, 2 when it was called wrongly.
`;

const options = ['--json', '--help'];

/** Exit codes: 0 nothing failed, 1 something did, 2 the arguments are wrong. */
async function main(args: string[]): Promise<{ code: number; text: string }> {
  const unknown = args.find((arg) => !options.includes(arg));
  if (unknown !== undefined) return { code: 2, text: `${unknownName('option', unknown, options)}\n` };
  if (args.includes('--help')) return { code: 0, text: help };
  const findings = await examine(process.env);
  const text = args.includes('--json') ? printJson(findings) : printFindings(findings);
  return { code: countFindings(findings).failure > 0 ? 1 : 0, text };
}

const { code, text } = await main(process.argv.slice(2));
// What hangs would keep the process; it ends when all is written, also into a pipe.
process.stdout.write(text, () => process.exit(code));
