import { type DocumentedApi, documentedApi } from './documented-api.ts';

/** The document as an API serves it. */
export async function readDocument(url: string): Promise<DocumentedApi> {
  const reply = await fetch(`${url}/openapi.json`);
  if (reply.status !== 200) throw new Error(`${reply.status} ${await reply.text()}`);
  return documentedApi(await reply.json());
}
