import { type Event, type Severity, severities } from '../../core/events/events.ts';
import type { Property } from '../../core/exports/columns.ts';
import { type Caller, callApi } from '../call-api.ts';
import type { Tenant } from './demo-steps.ts';

/** The demo's filter: conditions that any log can be asked. What its tenant's log begins with is none of the demo's events. */
export type DemoFilter = { after_sequence: number; from: string; severity?: Severity[] };

/** Columns that are shown where the log has something to put into them, and what they are called in the file. */
const titles: Property[] = [
  { name: 'sequence_number', displayName: 'No.' },
  { name: 'occurred_at', displayName: 'Time' },
  { name: 'action', displayName: 'Action' },
  { name: 'severity', displayName: 'Severity' },
  { name: 'actor.name', displayName: 'User' },
  { name: 'actor.email', displayName: 'E-mail' },
  { name: 'target.id', displayName: 'Target' },
  { name: 'context.ip', displayName: 'IP address' },
  { name: 'description', displayName: 'Description' },
];

const metadataColumns = 3;

/** Columns for these events: the fixed ones that have a value, and the metadata members that most of them have. */
export function chooseColumns(sample: readonly Event[]): Property[] {
  const fixed = titles.filter(({ name }) => sample.some((event) => fieldOf(event, name) != null));
  const taken = new Set(fixed.map(({ displayName }) => displayName));
  const counts = new Map<string, number>();
  for (const event of sample) {
    for (const path of scalarPaths(event.metadata)) counts.set(path, (counts.get(path) ?? 0) + 1);
  }
  const paths = [...counts].sort(([, a], [, b]) => b - a).map(([path]) => path);
  const metadata = paths
    .map((path) => ({ name: `metadata.${path}`, displayName: titleOf(path) }))
    .filter(({ displayName }) => !taken.has(displayName) && taken.add(displayName));
  return [...fixed, ...metadata.slice(0, metadataColumns)];
}

function fieldOf(event: Event, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | null)?.[name], event);
}

/** Members that hold one value, at most two levels deep, whose names need no quoting in a path. */
function* scalarPaths(members: Record<string, unknown>, before = ''): Generator<string> {
  for (const [name, value] of Object.entries(members)) {
    if (!/^\w+$/.test(name) || /^\d/.test(name)) continue;
    if (typeof value !== 'object') yield before + name;
    else if (before === '' && value !== null && !Array.isArray(value)) {
      yield* scalarPaths(value as Record<string, unknown>, `${name}.`);
    }
  }
}

/** `request.duration_ms` → `Request duration ms` */
function titleOf(path: string): string {
  const words = path.replaceAll(/[._]+/g, ' ').trim();
  return words[0]!.toUpperCase() + words.slice(1);
}

/**
 * A filter that leaves something out and something in: everything but errors, from `from` on. Where nothing would be left,
 * it asks for less, down to all events.
 */
export async function chooseFilter(tenant: Tenant, from: string, signal: AbortSignal): Promise<DemoFilter> {
  const after_sequence = tenant.begunWith;
  const withoutErrors = severities.filter((severity) => severity !== 'Error');
  const oldest = await firstEvent(tenant, { after_sequence, sort: 'occurred_at' }, signal);
  const wanted = [
    { after_sequence, from, severity: withoutErrors },
    { after_sequence, from: oldest!.occurred_at, severity: withoutErrors },
  ];
  for (const filter of wanted) {
    if (await firstEvent(tenant, filter, signal)) return filter;
  }
  return { after_sequence, from: oldest!.occurred_at };
}

async function firstEvent(
  caller: Caller,
  query: Record<string, number | string | string[]>,
  signal: AbortSignal,
): Promise<Event | undefined> {
  const parameters = new URLSearchParams({ limit: '1' });
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value].flat()) parameters.append(name, String(each));
  }
  const path = `/v1/events?${parameters}`;
  return (await callApi<{ data: Event[] }>(caller, path, { signal })).data[0];
}

/** The newest events of the log, as a sample. */
export async function sampleEvents(tenant: Tenant, signal: AbortSignal): Promise<Event[]> {
  const path = `/v1/events?limit=100&after_sequence=${tenant.begunWith}`;
  return (await callApi<{ data: Event[] }>(tenant, path, { signal })).data;
}
