-- How a tenant's CSV is written where the request cannot say it: in the APIs of LogProof and Frontegg.
create type csv_formulas as enum ('keep', 'neutralize');
alter table tenants add column csv_formulas csv_formulas not null default 'keep';

-- Cells that an apostrophe was put before, in the file and up to the end of each part.
alter table exports add column neutralized_cells bigint;
alter table checkpoints add column neutralized_cells bigint not null default 0;
