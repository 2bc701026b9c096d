-- Communications counted by hour and by day: the overview of any span of time reads few rows. Empty fetches (empty_day) are left out, since they are few
-- and their rows grow.
CREATE TABLE communication_sum (
    span BIGINT NOT NULL,           -- milliseconds: those of an hour, or of a day
    starts_at BIGINT NOT NULL,      -- milliseconds since the epoch
    account TEXT NOT NULL,
    direction TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    communications BIGINT NOT NULL,
    timed BIGINT NOT NULL,          -- of these, those that do not wait for the next mail
    took BIGINT NOT NULL,           -- milliseconds that these took
    last_id TEXT NOT NULL,
    PRIMARY KEY (span, starts_at, account, direction, kind, status)
){by_key};

-- How far they go, one row. Who changes a communication that began before `summing_to` says so in `communication_change`; the sums have those that
-- began before `summed_to`. `step` goes up with each change of a sum. Nothing is summed up before `not_before`, by the database's clock; -1: a host of an earlier
-- version may work on the database, so that it is set some minutes ahead first.
CREATE TABLE communication_summing (
    id BIGINT NOT NULL PRIMARY KEY,
    summing_to BIGINT NOT NULL,
    summed_to BIGINT NOT NULL,
    step BIGINT NOT NULL,
    not_before BIGINT NOT NULL
);
INSERT INTO communication_summing (id, summing_to, summed_to, step, not_before)
    SELECT 1, 0, 0, 0, CASE WHEN EXISTS (SELECT 1 FROM communication) THEN -1 ELSE 0 END;

-- Hours (when they begin) whose communications were changed after they had been summed up: they are counted row by row until they are summed up again.
CREATE TABLE communication_change (
    id {id},
    hour BIGINT NOT NULL
);
CREATE INDEX communication_change_hour ON communication_change (hour);

-- What people look for first; few rows, so that hardly a mail pays for it.
CREATE INDEX communication_trouble ON communication (id, status, priority, account) WHERE status IN ('warning', 'failed') OR priority >= 3;
CREATE INDEX spool_ended ON spool (status, id) WHERE status IN ('rejected', 'dropped');
