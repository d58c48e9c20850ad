-- The signed receipt of each completed export, as it was made with its completion and for ever after.
create table receipts (
  export_id uuid primary key references exports (id) on update cascade on delete cascade,
  tenant_id uuid not null,
  body text not null
);

-- Of how many events in a file something was erased is said in its receipt. Of most logs of none.
create index events_erased on events (tenant_id, sequence_number) where erased is not null;
