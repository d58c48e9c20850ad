import type { Event } from '../../core/events/events.ts';
import { eventMembers, type Member } from '../../core/events/members.ts';
import type { ExportView } from '../../prisma/exports/view.ts';

const id = (number: number): string => `01a2047e-98dd-7000-8000-${String(number).padStart(12, '0')}`;
const time = '2026-11-22T10:00:00.000000Z';
const later = '2026-11-22T10:00:04.125000Z';
const hash = (digit: string): string => digit.repeat(64);

export const requestIdExample = id(0);

export const newEventExample = {
  action: 'user.login',
  severity: 'Medium',
  actor: { id: 'usr_1', type: 'user', email: 'ana@example.com' },
  target: { type: 'app', id: 'console' },
  context: { ip: '192.0.2.7' },
  metadata: { mfa: true },
};

type NullMember = { [Name in keyof Event]: null extends Event[Name] ? Name : never }[keyof Event];

/** What an event has nothing for. */
const absent = Object.fromEntries(
  (eventMembers as readonly Member[]).filter(({ nullable }) => nullable).map(({ name }) => [name, null]),
) as { [Name in NullMember]: null };

export const eventExample: Event = {
  ...absent,
  id: id(1),
  sequence_number: 1,
  action: 'user.login',
  severity: 'Medium',
  actor: { id: 'usr_1', type: 'user', name: null, email: 'ana@example.com', meta: null },
  target: { type: 'app', id: 'console', meta: null },
  context: { ip: '192.0.2.7', user_agent: null },
  metadata: { mfa: true },
  occurred_at: time,
  received_at: time,
  created_at: time,
  hash: hash('a'),
  previous_hash: hash('0'),
  proof: { seed: 'A'.repeat(22) },
};

/** A page with this one entry. */
export const pageExample = (entry: unknown) => ({ data: [entry], meta: { next_cursor: null, has_more: false } });

export const verdictExample = {
  data: {
    status: 'valid',
    events_checked: 1,
    first_event_id: id(1),
    last_event_id: id(1),
    broken_at_event_id: null,
    head: { sequence_number: 1, hash: hash('a') },
  },
};

const properties = [
  { name: 'occurred_at', displayName: 'Time' },
  { name: 'actor.email', displayName: 'User' },
  { name: 'metadata.mfa' },
];

export const exportRequestExample = {
  format: 'csv',
  compression: 'gzip',
  filter: { action: 'user.*', from: '2026-11-01', severity: ['Medium', 'High'], metadata: { mfa: true } },
  properties,
  sort: [{ field: 'occurred_at', direction: 'asc' }],
  file_name: 'november',
  expires_in: 604_800,
  csv: { bom: true },
};

export const queuedExportExample: ExportView = {
  id: id(2),
  object: 'export',
  status: 'queued',
  format: 'csv',
  compression: 'gzip',
  filter: { action: 'user.*' },
  properties,
  sort: [],
  csv: { delimiter: ',', bom: true, header: true, line_ending: 'crlf', null: '', formulas: 'keep' },
  file_name: 'november.csv.gz',
  as_of: time,
  as_of_sequence: 1,
  expired_through: null,
  resumable: true,
  progress: {
    phase: 'queued',
    rows: 0,
    total_rows: null,
    total_is: 'estimate',
    bytes: 0,
    rows_per_second: null,
    eta_seconds: null,
    percent: 0,
  },
  rows: null,
  bytes: null,
  neutralized_cells: null,
  sha256: null,
  complete: null,
  download_url: null,
  download_url_expires_at: null,
  receipt_url: null,
  attempt: 1,
  error: null,
  created_by: { type: 'api_key', id: '019a0000-0000-7000-8000-00000000000a', name: 'nightly', email: null },
  created_at: time,
  started_at: null,
  completed_at: null,
  expires_at: null,
};

export const exportExample: ExportView = {
  ...queuedExportExample,
  status: 'completed',
  progress: {
    phase: 'done',
    rows: 1,
    total_rows: 1,
    total_is: 'exact',
    bytes: 96,
    rows_per_second: 250,
    eta_seconds: 0,
    percent: 100,
  },
  rows: 1,
  bytes: 96,
  sha256: hash('c'),
  complete: true,
  download_url: 'https://files.example.com/november.csv.gz?signature=example',
  download_url_expires_at: '2026-11-22T10:15:04.125000Z',
  receipt_url: `https://eu.example.com/v1/exports/${id(2)}/receipt`,
  started_at: time,
  completed_at: later,
  expires_at: '2026-11-29T10:00:04.125000Z',
};

export const estimateExample = {
  rows: 1,
  rows_is: 'exact',
  bytes_estimate: 96,
  seconds_estimate: 0.1,
  preview: {
    columns: ['Time', 'User', 'metadata.mfa'],
    rows: [[time, 'ana@example.com', 'true']],
    text: `Time,User,metadata.mfa\r\n${time},ana@example.com,true\r\n`,
  },
  warnings: [],
};

export const newErasureExample = {
  filter: { actor_id: 'usr_1' },
  compartments: ['person', 'context'],
  reason: 'Request of the person, ticket 4711',
};

export const erasureExample = {
  id: id(9),
  object: 'erasure',
  status: 'completed',
  filter: { actor_id: null },
  compartments: ['person', 'context'],
  reason: 'Request of the person, ticket 4711',
  matched: 2,
  erased: 2,
  exports: [id(2)],
  created_by: { type: 'api_key', id: id(7), name: 'privacy', email: null },
  created_at: time,
  completed_at: later,
  error: null,
};

export const newWebhookExample = { url: 'https://example.com/hooks', events: ['export.*'], description: 'Archive' };

export const webhookExample = {
  id: id(3),
  ...newWebhookExample,
  include_download_url: true,
  status: 'enabled',
  disabled_reason: null,
  created_at: time,
};

/** No secret that anybody has: 32 bytes of zero. */
export const webhookWithSecretExample = { ...webhookExample, secret: `whsec_${'A'.repeat(43)}=` };

export const deliveryExample = {
  id: id(4),
  webhook_id: id(3),
  export_id: id(2),
  type: 'export.completed',
  url: 'https://example.com/hooks',
  status: 'delivered',
  attempts: [{ at: later, status_code: 204, duration_ms: 83, error: null, response_excerpt: null }],
  next_attempt_at: null,
};

export const messageExample = { id: id(4), type: 'export.completed', timestamp: later, data: exportExample };
export const erasureMessageExample = { id: id(8), type: 'erasure.completed', timestamp: later, data: erasureExample };
export const pingExample = { id: id(5), type: 'ping', timestamp: time, data: { webhook_id: id(3) } };

export const tenantExample = {
  id: id(6),
  name: 'Acme',
  plan: 'pro',
  region: 'eu',
  external_id: 'acme',
  csv_formulas: 'keep',
  status: 'active',
  retention_days: 365,
  legal_hold: false,
  created_at: time,
};

export const apiKeyExample = {
  id: id(7),
  name: 'laptop',
  scopes: ['events:write'],
  tenant_id: id(6),
  prefix: 'lf_sk_00000000',
  created_at: time,
  expires_at: null,
  revoked_at: null,
};

/** No key that anybody has: its checksum is wrong. */
export const apiKeyWithKeyExample = { ...apiKeyExample, key: `lf_sk_${'0'.repeat(36)}` };

const rate = { limit: 1000, used: 1, remaining: 999, reset: 1_795_341_660, reset_at: '2026-11-22T10:01:00.000000Z' };
export const limitsExample = {
  plan: 'pro',
  resources: {
    requests_per_minute: rate,
    unfinished_exports: { limit: 20_000, used: 1, remaining: 19_999, reset: null, reset_at: null },
  },
  rate,
};

export const regionExample = { region: 'eu', base_url: 'https://eu.example.com', current: true };

export const auditExample = {
  frontegg_id: id(1),
  tenantId: 'acme',
  vendorId: id(8),
  createdAt: '2026-11-22T10:00:00.000Z',
  updatedAt: '2026-11-22T10:00:00.000Z',
  severity: 'Medium',
  action: 'user.login',
  description: null,
  email: 'ana@example.com',
  ip: '192.0.2.7',
  userAgent: null,
  user: null,
  resource: 'app',
  actorId: 'usr_1',
  environmentName: null,
  json: null,
};

export const metadataExample = {
  rows: [
    {
      id: id(8),
      entityName: 'audits',
      properties: [{ name: 'createdAt', displayName: 'Time', type: 'Timestamp', sortable: true, filterable: true }],
    },
  ],
};
