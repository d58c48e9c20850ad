// A client by @hey-api/openapi-ts writes, lists and exports, and reads an error by its type. Compiled and run by
// test/clients/generators.test.ts.
import { client } from './hey-api/client.gen';
import { createExport, listEvents, writeEvent } from './hey-api/sdk.gen';

const [baseUrl, key] = process.argv.slice(2) as [string, string];

async function main(): Promise<void> {
  client.setConfig({ baseUrl, auth: key });
  const written = await writeEvent({ body: { action: 'hey.api', metadata: { n: 1 } } });
  if (written.data?.data.action !== 'hey.api') throw new Error(JSON.stringify(written.error));
  const listed = await listEvents({ query: { action: 'hey.*' } });
  if (listed.data?.data.length !== 1) throw new Error(JSON.stringify(listed.error));
  const made = await createExport({ body: { format: 'csv', csv: { bom: true } }, headers: { Prefer: 'wait=20' } });
  if (made.data?.status !== 'completed' || !made.data.download_url) throw new Error(JSON.stringify(made.error));
  const refused = await createExport({ body: { format: 'csv', filter: { from: 'never' } } });
  const type: 'validation_error' | undefined =
    refused.error?.error.type === 'validation_error' ? 'validation_error' : undefined;
  const path: string | undefined = refused.error?.errors?.[0]?.path;
  console.log(`${type} ${path}`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
