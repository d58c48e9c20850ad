import { type Caller, callApi } from '../local/call-api.ts';

/** What is of interest in the record of an export. */
export type ExportRecord = {
  id: string;
  status: string;
  rows: number;
  bytes: number;
  created_at: string;
  completed_at: string | null;
  error: unknown;
};

/**
 * Makes an export and waits for its end.
 * @returns its record, and the seconds from its creation to its completion as the record has them: how often a client looks
 * is the client's
 * @throws Error unless it is completed
 */
export async function runExport(caller: Caller, request: object): Promise<ExportRecord & { seconds: number }> {
  let record = await callApi<ExportRecord>(caller, '/v1/exports', {
    body: request,
    headers: { prefer: 'wait=30' },
  });
  while (['queued', 'running'].includes(record.status)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    record = await callApi<ExportRecord>(caller, `/v1/exports/${record.id}`);
  }
  if (record.status !== 'completed') throw new Error(`An export ${record.status}: ${JSON.stringify(record.error)}`);
  return { ...record, seconds: (Date.parse(record.completed_at!) - Date.parse(record.created_at)) / 1000 };
}

/** Removes the file: what was measured must not fill the disk. */
export async function removeExport(caller: Caller, id: string): Promise<void> {
  await fetch(`${caller.url}/v1/exports/${id}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${caller.key}` },
  });
}
