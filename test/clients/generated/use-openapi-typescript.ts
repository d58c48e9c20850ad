// The types by openapi-typescript, with openapi-fetch: as use-hey-api.ts.
import createClient from 'openapi-fetch';
import type { components, paths } from './openapi-typescript';

const [baseUrl, key] = process.argv.slice(2) as [string, string];

async function main(): Promise<void> {
  const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
  const written = await client.POST('/v1/events', { body: { action: 'openapi.typescript', actor: { id: 'u' } } });
  if (written.data?.data.actor.id !== 'u') throw new Error(JSON.stringify(written.error));
  const listed = await client.GET('/v1/events', { params: { query: { action: 'openapi.*' } } });
  if (listed.data?.data.length !== 1) throw new Error(JSON.stringify(listed.error));
  const body: components['schemas']['ExportRequest'] = {
    format: 'csv',
    csv: { bom: true },
    sort: [{ field: 'action' }],
  };
  const made = await client.POST('/v1/exports', { params: { header: { Prefer: 'wait=20' } }, body });
  if (made.data?.status !== 'completed' || !made.data.download_url) throw new Error(JSON.stringify(made.error));
  const refused = await client.POST('/v1/exports', { body: { format: 'csv', filter: { from: 'never' } } });
  const problem: components['schemas']['Problem'] | undefined = refused.error;
  console.log(`${problem?.error.type} ${problem?.errors?.[0]?.path}`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
