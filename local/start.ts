import { failStart, stopOnSignals } from '../core/stop-signals.ts';
import { startLocal } from './start-local.ts';

/** `npm start`: all of Logferry in one process. */
async function main(): Promise<void> {
  const local = await startLocal();
  stopOnSignals(local.stop);
  process.stdout.write(`
  Logferry runs.

  API             ${local.url}
  Management key  ${local.adminKey}
  Data            ${local.config.LOGFERRY_DATA}

  Try it:
    curl -s ${local.url}/v1/tenants -H "Authorization: Bearer ${local.adminKey}" -H "Content-Type: application/json" -d '{"name": "Acme"}'

  Ctrl-C stops it.

`);
}

await main().catch(failStart);
