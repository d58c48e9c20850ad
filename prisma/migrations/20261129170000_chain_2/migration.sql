-- Chain version 2 (docs/verify.md): salted commitments to six compartments of an event, so that one can be left out or erased
-- and the rest is still proven. What is stored is chained anew in place, with new hashes: those kept of it hold no more.

set local timezone = 'UTC';

alter table events
  add column seed bytea,
  add column erased json;

drop aggregate event_chain(bytea, bigint, bytea);
drop function event_chain_step(bytea, bytea, bigint, bytea);
drop function event_hash(bytea, bigint, bytea);

create function event_hash(previous bytea, sequence_number bigint, digest bytea) returns bytea
  language sql immutable parallel safe
  return sha256('\x30'::bytea || previous || int8send(sequence_number) || digest);
-- One step of a tenant's chain, as an aggregate: over (order by sequence number) it gives each event its hash, so that any
-- number of events is chained by the statement that inserts them.
create function event_chain_step(state bytea, head bytea, sequence_number bigint, digest bytea) returns bytea
  language sql immutable parallel safe
  return sha256('\x30'::bytea || coalesce(state, head) || int8send(sequence_number) || digest);
create aggregate event_chain(head bytea, sequence_number bigint, digest bytea) (
  sfunc = event_chain_step,
  stype = bytea
);

-- 244 random bits of PostgreSQL's CSPRNG for each event.
create temporary table seeds on commit drop as
  select tenant_id, sequence_number,
    substr(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 1, 16) as seed
  from events;
create temporary table chained on commit drop as
  with salted as (
    select e.*, s.seed as new_seed, sha512('\x00'::bytea || s.seed) || sha512('\x01'::bytea || s.seed) as salts
    from events e join seeds s using (tenant_id, sequence_number)
  ), digested as (
    select tenant_id, sequence_number, new_seed as seed, sha256('\x20'::bytea
      || sha256('\x10'::bytea || substr(salts, 1, 16) || convert_to(concat('{"action":', to_json(action), ',"id":"', id,
        '","occurred_at":"', to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        '","received_at":"', to_char(received_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        '","severity":"', severity, '","target_type":', coalesce(to_json(target_type)::text, 'null'), '}'), 'UTF8'))
      || sha256('\x11'::bytea || substr(salts, 17, 16) || convert_to(concat('{"id":', coalesce(to_json(actor_id)::text, 'null'),
        ',"type":', coalesce(to_json(actor_type)::text, 'null'), '}'), 'UTF8'))
      || sha256('\x12'::bytea || substr(salts, 33, 16) || convert_to(concat('{"email":', coalesce(to_json(actor_email)::text, 'null'),
        ',"meta":', coalesce(actor_meta::text, 'null'), ',"name":', coalesce(to_json(actor_name)::text, 'null'), '}'), 'UTF8'))
      || sha256('\x13'::bytea || substr(salts, 49, 16) || convert_to(context::text, 'UTF8'))
      || sha256('\x14'::bytea || substr(salts, 65, 16) || convert_to(concat('{"id":', coalesce(to_json(target_id)::text, 'null'),
        ',"meta":', coalesce(target_meta::text, 'null'), '}'), 'UTF8'))
      || sha256('\x15'::bytea || substr(salts, 81, 16) || convert_to(concat('{"description":', coalesce(to_json(description)::text, 'null'),
        ',"diff":', coalesce(diff::text, 'null'), ',"metadata":', metadata, '}'), 'UTF8'))) as digest
    from salted
  )
  select tenant_id, sequence_number, seed, event_chain(decode(repeat('00', 32), 'hex'), sequence_number, digest)
    over (partition by tenant_id order by sequence_number) as hash
  from digested;
alter table chained add primary key (tenant_id, sequence_number);

update events set seed = chained.seed, hash = chained.hash,
  previous_hash = coalesce(before.hash, decode(repeat('00', 32), 'hex'))
from chained left join chained as before
  on before.tenant_id = chained.tenant_id and before.sequence_number = chained.sequence_number - 1
where events.tenant_id = chained.tenant_id and events.sequence_number = chained.sequence_number;

update chain_heads set hash = chained.hash
from chained where chained.tenant_id = chain_heads.tenant_id and chained.sequence_number = chain_heads.sequence_number;

-- What an event is proven with: its seed, or what an erasure has left.
alter table events add constraint events_proof check ((seed is null) <> (erased is null));
