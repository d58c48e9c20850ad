-- What an export holds of the storage, so that sums of it can be read from an index: derived from the row, so that whatever
-- ends an export or its file gives its bytes back. While it runs it holds what its run has reserved before writing.
alter table exports
  add column reserved_bytes bigint not null default 0,
  add column stored_bytes bigint generated always as (
    case
      when file_deleted_at is not null then 0
      when status in ('completed', 'expired') then coalesce(bytes, 0)
      when status in ('failed', 'canceled') and upload_id is null then 0
      else reserved_bytes
    end) stored;
create index exports_stored on exports (tenant_id) include (stored_bytes) where stored_bytes > 0;

-- The greatest bound of a tenant's exports, which its log must reach.
create index exports_bounds on exports (tenant_id, as_of_sequence);
