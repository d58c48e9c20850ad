create type plan as enum ('free', 'pro', 'enterprise');
-- The order is the rank by which severities sort.
create type severity as enum ('Info', 'Medium', 'High', 'Critical', 'Error');
create type export_status as enum ('queued', 'running', 'completed', 'failed', 'canceled', 'expired');
create type webhook_status as enum ('enabled', 'disabled');
create type delivery_status as enum ('pending', 'delivered', 'failed');

create table tenants (
  id uuid primary key,
  name text not null,
  plan plan not null,
  region text not null,
  external_id text,
  created_at timestamptz(6) not null
);
create unique index tenants_external_id_key on tenants (external_id);

create table chain_heads (
  tenant_id uuid primary key references tenants (id) on update cascade on delete cascade,
  sequence_number bigint not null,
  hash bytea not null
);

create table api_keys (
  id uuid primary key,
  tenant_id uuid references tenants (id) on update cascade on delete cascade,
  name text not null,
  scopes text[] not null,
  prefix text not null,
  hash bytea not null,
  created_at timestamptz(6) not null,
  expires_at timestamptz(6),
  revoked_at timestamptz(6)
);
create unique index api_keys_prefix_key on api_keys (prefix);
create index api_keys_tenant on api_keys (tenant_id, created_at);

-- Fixed-size columns first: no padding between them. No foreign key to tenants: its check would cost every insert a
-- lookup, and the chain head, which every insert locks, has one.
create table events (
  tenant_id uuid not null,
  sequence_number bigint not null,
  id uuid not null,
  occurred_at timestamptz(6) not null,
  received_at timestamptz(6) not null,
  severity severity not null,
  action text not null,
  actor_id text,
  actor_type text,
  actor_name text,
  actor_email text,
  actor_meta json,
  target_type text,
  target_id text,
  target_meta json,
  context_ip text,
  context_user_agent text,
  context json not null,
  description text,
  diff json,
  metadata json not null,
  previous_hash bytea not null,
  hash bytea not null,
  primary key (tenant_id, sequence_number)
);
create unique index events_tenant_id_id_key on events (tenant_id, id);
create index events_by_time on events (tenant_id, occurred_at, sequence_number);

-- One step of a tenant's hash chain (docs/chain.md), as an aggregate: over (order by sequence number) it gives each event
-- its hash, so that any number of events is chained by the statement that inserts them.
create function event_hash(previous bytea, sequence_number bigint, digest bytea) returns bytea
  language sql immutable parallel safe
  return sha256(previous || int8send(sequence_number) || digest);
create function event_chain_step(state bytea, head bytea, sequence_number bigint, digest bytea) returns bytea
  language sql immutable parallel safe
  return sha256(coalesce(state, head) || int8send(sequence_number) || digest);
create aggregate event_chain(head bytea, sequence_number bigint, digest bytea) (
  sfunc = event_chain_step,
  stype = bytea
);

create table exports (
  id uuid primary key,
  tenant_id uuid not null references tenants (id) on update cascade on delete cascade,
  status export_status not null,
  request text not null,
  file_name text not null,
  created_by json not null,
  as_of timestamptz(6) not null,
  as_of_sequence bigint not null,
  resumable boolean not null,
  segment_rows integer not null,
  epoch integer not null default 0,
  lease_until timestamptz(6),
  failures integer not null default 0,
  crashes integer not null default 0,
  retry_at timestamptz(6),
  cancel_requested_at timestamptz(6),
  storage_key text not null,
  upload_id text,
  progress json not null,
  rows bigint,
  bytes bigint,
  sha256 text,
  error json,
  created_at timestamptz(6) not null,
  started_at timestamptz(6),
  completed_at timestamptz(6),
  expires_at timestamptz(6),
  file_deleted_at timestamptz(6)
);
create index exports_tenant on exports (tenant_id, id);
create index exports_status on exports (status, lease_until);

create table checkpoints (
  export_id uuid not null references exports (id) on update cascade on delete cascade,
  part_number integer not null,
  epoch integer not null,
  etag text not null,
  bytes bigint not null,
  rows bigint not null,
  position json not null,
  primary key (export_id, part_number)
);

create table idempotency_keys (
  tenant_id uuid not null,
  key text not null,
  fingerprint bytea not null,
  export_id uuid not null,
  created_at timestamptz(6) not null,
  primary key (tenant_id, key)
);
create index idempotency_keys_age on idempotency_keys (created_at);

create table webhooks (
  id uuid primary key,
  tenant_id uuid not null,
  export_id uuid,
  url text not null,
  events text[] not null,
  description text,
  include_download_url boolean not null default true,
  status webhook_status not null default 'enabled',
  disabled_reason text,
  secret bytea not null,
  previous_secret bytea,
  previous_secret_expires_at timestamptz(6),
  created_at timestamptz(6) not null,
  deleted_at timestamptz(6)
);
create index webhooks_tenant on webhooks (tenant_id, id);
create index webhooks_export on webhooks (export_id);

create table deliveries (
  id uuid primary key,
  tenant_id uuid not null,
  webhook_id uuid not null references webhooks (id) on update cascade on delete cascade,
  export_id uuid,
  type text not null,
  url text not null,
  data text not null,
  status delivery_status not null default 'pending',
  attempts json not null,
  tries integer not null default 0,
  next_attempt_at timestamptz(6),
  created_at timestamptz(6) not null
);
create index deliveries_webhook on deliveries (webhook_id, id);
create index deliveries_export on deliveries (export_id);
create index deliveries_due on deliveries (status, next_attempt_at);

create table settings (
  name text primary key,
  value text not null
);
