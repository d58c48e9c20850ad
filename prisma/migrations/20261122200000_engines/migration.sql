-- How a file is cut into parts decides which bytes a part number has, so every run must cut alike, whatever the settings
-- of its worker are by then. The defaults are those that exports of before were cut by.
alter table exports
  add column part_bytes bigint not null default 8388608,
  add column max_parts integer not null default 10000,
-- When the last run began. By it tenants take turns, and runs give way (prisma/exports/claim.ts).
  add column run_started_at timestamptz(6);
create index exports_turns on exports (status, tenant_id, id);
create index exports_last_run on exports (tenant_id, run_started_at);

-- A delivery that is being made right now, until next_attempt_at: so its tenant's others can be counted.
alter table deliveries add column claimed boolean not null default false;
create index deliveries_claimed on deliveries (claimed, tenant_id, next_attempt_at);
create index deliveries_tenant_due on deliveries (tenant_id, status, next_attempt_at);
