-- An account's fetches of a day that brought nothing and met nothing worth telling are one row, with the entries of the last.
-- 1 for every other row.
ALTER TABLE communication ADD COLUMN fetches BIGINT NOT NULL DEFAULT 1;
-- The day (UTC, since the epoch), when the last of them began, and the milliseconds that all took; NULL for every other row.
ALTER TABLE communication ADD COLUMN empty_day BIGINT;
ALTER TABLE communication ADD COLUMN last_at BIGINT;
ALTER TABLE communication ADD COLUMN took BIGINT;
CREATE INDEX communication_empty ON communication (account, empty_day) WHERE empty_day IS NOT NULL;
CREATE INDEX communication_last ON communication (last_at) WHERE last_at IS NOT NULL;
