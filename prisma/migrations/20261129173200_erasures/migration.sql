create type erasure_status as enum ('queued', 'running', 'completed', 'failed');
-- `filter`: JSON text; once the erasure has ended, its members with null for their values. `position`: done up to this number.
create table erasures (
  id uuid primary key,
  tenant_id uuid not null references tenants (id) on update cascade on delete cascade,
  status erasure_status not null,
  filter text not null,
  compartments text[] not null,
  reason text not null,
  delete_files boolean not null,
  created_by json not null,
  as_of_sequence bigint not null,
  position bigint not null,
  matched bigint not null default 0,
  erased bigint not null default 0,
  first_matched bigint,
  last_matched bigint,
  exports uuid[] not null,
  epoch integer not null default 0,
  lease_until timestamptz(6),
  failures integer not null default 0,
  retry_at timestamptz(6),
  error json,
  created_at timestamptz(6) not null,
  completed_at timestamptz(6)
);
create index erasures_tenant on erasures (tenant_id, id);
create index erasures_status on erasures (status, lease_until);

-- A key is of an export or of an erasure.
alter table idempotency_keys
  alter column export_id drop not null,
  add column erasure_id uuid;
