-- The index that claims go by has the name of what it serves.
alter index exports_turns rename to exports_claims;

-- When duties of the sweep were begun last, under names that they have no more.
delete from settings where name in ('swept_at.ringExports', 'swept_at.ringDeliveries');
