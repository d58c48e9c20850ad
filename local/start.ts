import { resolve } from 'node:path';
import { failStart, stopOnSignals } from '../core/stop-signals.ts';
import { firstTenantKey } from './first-tenant.ts';
import { type Local, startLocal } from './start-local.ts';

/** `npm start`: all of Logferry in one process. */
async function main(): Promise<void> {
  const local = await startLocal();
  stopOnSignals(local.stop);
  process.stdout.write(greeting(local, await firstTenantKey(local)));
}

function greeting({ url, adminKey, config }: Local, tenantKey: string | undefined): string {
  const keys = [
    `  Management key  ${adminKey}`,
    ...(tenantKey ? [`  Tenant key      ${tenantKey}   ("My company", all scopes)`] : []),
  ];
  const lines = tenantKey ? tenantLines(url, tenantKey) : managementLines(url, adminKey);
  return `
  Logferry runs. Ctrl-C stops it.

  API             ${url}${config.publicUrl === url ? '' : `   (links point to ${config.publicUrl})`}
${keys.join('\n')}
  Data            ${resolve(config.LOGFERRY_DATA)}

${lines.join('\n')}

`;
}

const tenantLines = (url: string, key: string): string[] => [
  '  Write an event:',
  `    ${curl(`${url}/v1/events`, key, '{"action": "user.login", "actor": {"id": "usr_1", "email": "ana@example.com"}}')}`,
  '',
  '  Export all events as CSV, and show the file:',
  `    ${curl(`${url}/v1/exports`, key, '{"format": "csv"}', '-H "Prefer: wait=30"')} | grep -o '"download_url":"[^"]*' | cut -d'"' -f4 | xargs curl -s`,
];

const managementLines = (url: string, key: string): string[] => [
  '  List the tenants:',
  `    curl -s "${url}/v1/tenants" -H "Authorization: Bearer ${key}"`,
];

const curl = (url: string, key: string, body: string, more = ''): string =>
  `curl -s ${url} -H "Authorization: Bearer ${key}" -H "Content-Type: application/json" ${more && `${more} `}-d '${body}'`;

await main().catch(failStart);
