-- How long a tenant's events are kept, and whether nothing of them may be removed. `deletion` says by whom and when the end of
-- a tenant that is being deleted was asked for: what is to be written into the management's log once all is gone.
create type tenant_status as enum ('active', 'deleting');
alter table tenants
  add column retention_days integer,
  add column legal_hold boolean not null default false,
  add column status tenant_status not null default 'active',
  add column deletion json;
create index tenants_status on tenants (status);

-- Where a log begins: after the event of this number and hash (null before the first event expires). What is up to it has lived its time and is removed in batches; up to `removed_through` the rows are gone.
-- `told_through` and `told_at`: up to where, and when, the log itself has said so last.
alter table chain_heads
  add column if not exists expired_through bigint not null default 0,
  add column if not exists expired_hash bytea,
  add column removed_through bigint not null default 0,
  add column told_through bigint not null default 0,
  add column told_at timestamptz(6);

-- `rows_after`: the number after which the rows of the export begin. `expired_through`: the last number that was gone when
-- the export was made, if it asked for it. `rows_kept_until`: until when rows that have lived their time wait for it.
alter table exports
  add column rows_after bigint not null default 0,
  add column expired_through bigint,
  add column rows_kept_until timestamptz(6);

-- Streams of events that are under way, of tenants whose events expire: their rows wait for them.
create table open_streams (
  id uuid primary key,
  tenant_id uuid not null references tenants (id) on update cascade on delete cascade,
  rows_after bigint not null,
  begun_at timestamptz(6) not null
);
create index open_streams_tenant on open_streams (tenant_id);
