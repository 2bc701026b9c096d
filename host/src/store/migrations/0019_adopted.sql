-- A message that is brought again before it came to its end has several who wait for what becomes of it: 1. One of them is told that it was filed: 2;
-- to the others it is a duplicate. 0: it was brought once.
ALTER TABLE spool ADD COLUMN adopted BIGINT NOT NULL DEFAULT 0;
