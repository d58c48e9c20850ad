-- The index that claims go by has the name of what it serves.
alter index exports_turns rename to exports_claims;
