import { resolve } from 'node:path';
import { failStart, stopOnSignals } from '../core/stop-signals.ts';
import { firstTenantKey } from './first-tenant.ts';
import { type Local, type ShownKey, startLocal } from './start-local.ts';

/** `npm start`: all of Logferry by one command. */
async function main(): Promise<void> {
  const local = await startLocal();
  stopOnSignals(local.stop);
  process.stdout.write(greeting(local, await firstTenantKey(local)));
}

function greeting({ url, admin, config }: Local, tenant: ShownKey | undefined): string {
  const { LOGFERRY_WEBHOOK_ALLOW: allowed } = config;
  const lines = tenant ? tenantLines(url, tenant) : managementLines(url, admin);
  return `
  Logferry runs. Ctrl-C stops it.

  API             ${url}${config.publicUrl === url ? '' : `   (links point to ${config.publicUrl})`}
  Documentation   ${url}/docs
  Management key  ${shown(admin)}
${tenant ? `  Tenant key      ${shown(tenant)}   ("My company", all scopes)\n` : ''}  Data            ${resolve(config.LOGFERRY_DATA)}
  Webhooks        to public addresses${allowed.length > 0 ? `, and to ${allowed.join(', ')}` : ''}

${lines.join('\n')}

`;
}

/** A key is shown once, when it is made; terminals and logs keep what they are shown. */
const shown = ({ key, isNew, keptIn }: ShownKey): string => (isNew ? key : `in ${keptIn}`);

/** The key as a command line has it: as text where it was shown, else from where it is kept. */
const inShell = ({ key, isNew, keptIn }: ShownKey): string =>
  isNew ? key : keptIn.startsWith('$') ? keptIn : `$(cat '${keptIn}')`;

const tenantLines = (url: string, key: ShownKey): string[] => [
  '  Write an event:',
  `    ${curl(`${url}/v1/events`, key, '{"action": "user.login", "actor": {"id": "usr_1", "email": "ana@example.com"}}')}`,
  '',
  '  Export all events as CSV, and show the file:',
  `    ${curl(`${url}/v1/exports`, key, '{"format": "csv"}', '-H "Prefer: wait=30"')} | grep -o '"download_url":"[^"]*' | cut -d'"' -f4 | xargs curl -s`,
];

const managementLines = (url: string, key: ShownKey): string[] => [
  '  List the tenants:',
  `    curl -s "${url}/v1/tenants" -H "Authorization: Bearer ${inShell(key)}"`,
];

const curl = (url: string, key: ShownKey, body: string, more = ''): string =>
  `curl -s ${url} -H "Authorization: Bearer ${inShell(key)}" -H "Content-Type: application/json" ${more && `${more} `}-d '${body}'`;

await main().catch(failStart);
