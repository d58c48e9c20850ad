-- What signs checkpoints and receipts. Old keys stay for ever: what they have signed is to be verified.
create table signing_keys (
  kid text primary key,
  public_key bytea not null,
  -- Sealed with LOGFERRY_SECRET_KEY.
  private_key bytea not null,
  valid_from timestamptz(6) not null,
  valid_until timestamptz(6)
);
-- One is active, however many processes make the first one at once.
create unique index signing_keys_active on signing_keys ((valid_until is null)) where valid_until is null;

-- The Merkle tree of a tenant's events: how far it is built, and the greatest checkpoint that was shown of it. No row before
-- the first of either.
create table logs (
  tenant_id uuid primary key references tenants (id) on update cascade on delete cascade,
  -- Fixed at the first checkpoint.
  origin text,
  number integer not null default 1,
  sealed_size bigint not null default 0,
  shown_size bigint,
  shown_root bytea,
  shown_note text,
  shown_kid text,
  -- Why the tree contradicts what was shown.
  contradiction text
);
create index logs_contradicted on logs (tenant_id) where contradiction is not null;

-- The roots over 256^(level + 1) entries each, of which a tile of the level above is 256; at level 0 with the entries.
create table log_tiles (
  tenant_id uuid not null references tenants (id) on update cascade on delete cascade,
  level smallint not null,
  index bigint not null,
  -- Null where entries of removed events are kept that do not fill a bundle yet.
  root bytea,
  entries bytea,
  primary key (tenant_id, level, index)
);
-- Hashes do not compress.
alter table log_tiles alter column entries set storage external;
