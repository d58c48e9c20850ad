import type { RoleKind } from './roles.ts';

/**
 * The tables with rows of tenants, and the column that says whose a row is; null where another table says it, or it is of no
 * tenant and secret, of which nobody but the owner sees a row. Each has row-level security, so that no role sees what it was not let see, whatever it is granted.
 */
export const tenantTables: Readonly<Record<string, string | null>> = {
  tenants: 'id',
  chain_heads: 'tenant_id',
  api_keys: 'tenant_id',
  events: 'tenant_id',
  exports: 'tenant_id',
  checkpoints: null,
  idempotency_keys: 'tenant_id',
  webhooks: 'tenant_id',
  deliveries: 'tenant_id',
  news: 'tenant_id',
  open_streams: 'tenant_id',
  logs: 'tenant_id',
  log_tiles: 'tenant_id',
  receipts: 'tenant_id',
  signing_keys: null,
  erasures: 'tenant_id',
};

/** Settings of a transaction that name the tenant, or the tenants as an array, whose rows may be seen. */
export const settings = { one: 'logferry.tenant', several: 'logferry.tenants' } as const;

/** A setting that was set for a transaction before is an empty text after it, and null in a session that never did. */
const current = (setting: string): string => `nullif(current_setting('${setting}', true), '')`;

/**
 * With `tenant_id = …` in a statement this is compared once and not for each row: the planner sees that both must be the same
 * tenant (a "One-Time Filter").
 */
export const seesOne = (column: string): string => `${column} = ${current(settings.one)}::uuid`;

/** A hashed subplan, whatever their number: with `= any(…)` the array would be read from its text again for each row. */
export const seesSeveral = (column: string): string =>
  `${column} in (select unnest(${current(settings.several)}::uuid[]))`;

/** Tables that events are read from. */
export const readTables = ['events', 'chain_heads'] as const;

/** What ingest needs to know of stored events: whether an id stands already, and which link of the chain it is. */
export const ingestColumns = ['tenant_id', 'id', 'sequence_number', 'hash', 'previous_hash'];

const reads = readTables.map((table) => `select on ${table}`);

/** What each role may do, and nothing else. */
export const grants: Readonly<Record<RoleKind, readonly string[]>> = {
  // Verification asks how far the tenant's exports know its log (events/greatest-known.ts).
  reader: [...reads, 'select (tenant_id, as_of_sequence) on exports'],
  lists: reads,
  ingest: ['insert on events', `select (${ingestColumns.join(', ')}) on events`, 'select, update on chain_heads'],
};
