-- What webhooks are told of an export, once for all of them: fifty deliveries held fifty copies, in one transaction.
create table news (
  id uuid primary key,
  tenant_id uuid not null references tenants (id) on update cascade on delete cascade,
  data text not null
);
create index news_tenant on news (tenant_id);
alter table deliveries
  alter column data drop not null,
  add column news_id uuid references news (id) on update cascade on delete cascade;
create index deliveries_news on deliveries (news_id);

-- A key that a tenant's key has made ends with it.
alter table api_keys add column parent_id uuid references api_keys (id) on update cascade on delete cascade;
create index api_keys_parent on api_keys (parent_id);

-- The log of the management: the chain of a tenant that is in no list (prisma/control-log.ts).
insert into tenants (id, name, plan, region, created_at)
  values ('00000000-0000-7000-8000-000000000000', 'Logferry management', 'free', '', now());
insert into chain_heads (tenant_id, sequence_number, hash)
  values ('00000000-0000-7000-8000-000000000000', 0, decode(repeat('00', 32), 'hex'));
