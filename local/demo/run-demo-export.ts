import type { Property } from '../../core/exports/columns.ts';
import { callApi, fetchApi } from '../call-api.ts';
import { chooseColumns, chooseFilter, type DemoFilter, sampleEvents } from './choose-demo-export.ts';
import { DemoError } from './demo-error.ts';
import { type Demo, days, type Tenant } from './demo-steps.ts';
import { count, describeFilter, indent, moreLine, rate, seconds, stepLine } from './demo-text.ts';
import { progressBar } from './progress-bar.ts';
import { readServerEvents } from './read-server-events.ts';

/** An export, as far as the demo looks at it. */
export type Export = {
  id: string;
  status: string;
  as_of_sequence: number;
  file_name: string;
  progress: { rows: number; total_rows: number | null; rows_per_second: number | null; percent: number };
  rows: number;
  bytes: number;
  sha256: string;
  complete: boolean;
  download_url: string;
  error: { message: string } | null;
  created_at: string;
  completed_at: string;
};

/** The first days are left out by the filter, so that it has something to do. */
const firstDays = 5;

/** An export that has ended well, what was asked of it, and the secret of its webhook. */
export type MadeExport = { done: Export; filter: DemoFilter; secret: string };

/** Makes an export and follows it to its end, with a bar. @throws DemoError, RefusedError */
export async function runExport({ screen, signal }: Demo, tenant: Tenant, webhookUrl: string): Promise<MadeExport> {
  const from = `${new Date(Date.now() - (days - firstDays) * 86_400_000).toISOString().slice(0, 10)}T00:00:00Z`;
  const filter = await chooseFilter(tenant, from, signal);
  const properties = chooseColumns(await sampleEvents(tenant, signal));
  const body = { format: 'csv', compression: 'gzip', filter, properties, webhook: { url: webhookUrl } };
  screen.write(stepLine(4, 'Export', `POST /v1/exports: csv, gzip; ${describeFilter(filter)}`));
  screen.write(moreLine(`${properties.length} columns: ${renamed(properties)}`));
  type Created = Export & { webhook: { secret: string } };
  const created = await callApi<Created>(tenant, '/v1/exports', { body, signal });
  const done = await followExport({ screen, signal }, tenant, created.id);
  const ms = Date.parse(done.completed_at) - Date.parse(done.created_at);
  screen.write(moreLine(`${count(done.rows)} rows in ${seconds(ms)}: ${rate(done.rows, ms)} a second`));
  return { done, filter, secret: created.webhook.secret };
}

const renamed = (properties: Property[]): string =>
  properties
    .slice(-2)
    .map(({ name, displayName }) => `${name} as "${displayName}"`)
    .join(', ');

/** Draws what GET /v1/exports/:id/events tells until the export has ended. */
async function followExport({ screen, signal }: Omit<Demo, 'local'>, tenant: Tenant, id: string): Promise<Export> {
  const response = await fetchApi(tenant, `/v1/exports/${id}/events`, { signal });
  const bar = progressBar(screen, indent);
  for await (const { event, data } of readServerEvents<Export>(response.body!)) {
    if (event === 'progress') {
      const { rows, total_rows: total, rows_per_second: perSecond, percent } = data.progress;
      const speed = perSecond ? `, ${count(perSecond)} a second` : '';
      bar.show(percent / 100, `${count(rows)}${total === null ? '' : ` of ${count(total)}`} rows${speed}`);
      continue;
    }
    bar.clear();
    if (event === 'completed' && data.complete) return data;
    throw new DemoError(`The export ${event}: ${data.error?.message ?? 'no reason is given'}`);
  }
  throw new DemoError('The progress stream ended before the export had.');
}
