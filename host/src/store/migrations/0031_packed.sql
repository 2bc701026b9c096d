-- What is written for each message is packed, and what its filters were is told by a number.

-- Which filters a message was judged by. The number follows from the body, so that all hosts give the same one.
CREATE TABLE plan_version (
    id BIGINT NOT NULL PRIMARY KEY,
    used_at BIGINT NOT NULL, -- when somebody said last that it is in use, milliseconds since the epoch
    body {bytes} NOT NULL    -- packed JSON
);

-- The entries of a communication, apart from the columns that lists search and sort. `communication.entries` is '[]' where they are here, and has JSON in
-- rows of before this step until they are packed, in the background.
CREATE TABLE communication_entries (
    id TEXT NOT NULL PRIMARY KEY,
    plan BIGINT,             -- of a message that went through a chain
    entries {bytes} NOT NULL
){by_key};
CREATE INDEX communication_plan ON communication_entries (plan) WHERE plan IS NOT NULL;

-- What became of a message, packed. `spool.result` has JSON in rows of before this step, and is null where this is set.
ALTER TABLE spool ADD COLUMN packed {bytes};
ALTER TABLE spool ADD COLUMN plan BIGINT;
CREATE INDEX spool_plan ON spool (plan) WHERE plan IS NOT NULL;
-- 1: of what became of it the beginning is kept, since the rest is older than `spool_retention`.
ALTER TABLE spool ADD COLUMN in_short BIGINT NOT NULL DEFAULT 0;
CREATE INDEX spool_history ON spool (ended_at) WHERE in_short = 0 AND packed IS NOT NULL;

-- How far the rows of before this step are packed: the last id that was looked at. Of communications and results the start again when all are, since
-- programs of before may go on writing such; a row of others goes then.
CREATE TABLE packing (
    what TEXT NOT NULL PRIMARY KEY,
    done_to TEXT NOT NULL
);
INSERT INTO packing (what, done_to) VALUES ('communications', ''), ('results', '0');
