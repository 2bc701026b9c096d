-- What takes long, as a row that one host at a time works on. Times of claims are the database's clock, others the host's.
CREATE TABLE job (
    id {id},
    kind TEXT NOT NULL,
    -- What is to be done, JSON of the kind's own.
    asked TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    status TEXT NOT NULL,
    -- 1: somebody wants it to end; whoever runs it looks.
    cancel_asked BIGINT NOT NULL DEFAULT 0,
    -- The token of the claim in force; 0: none.
    claim BIGINT NOT NULL DEFAULT 0,
    -- Who runs it, or ran it last: the data folder's id, the process's, the machine's name.
    claimed_by TEXT,
    run TEXT,
    host_name TEXT,
    claimed_until BIGINT NOT NULL DEFAULT 0,
    -- How many hosts ended uncleanly while they ran it.
    abandoned BIGINT NOT NULL DEFAULT 0,
    begun_at BIGINT,
    ended_at BIGINT,
    done BIGINT NOT NULL DEFAULT 0,
    -- NULL: not known.
    total BIGINT,
    note TEXT NOT NULL DEFAULT '',
    -- Where whoever takes it over goes on, JSON of the kind's own.
    position TEXT,
    -- What came of it, JSON of the kind's own; or why nothing did, a sentence.
    result TEXT,
    error TEXT
);
CREATE INDEX job_open ON job (id) WHERE status IN ('waiting', 'running');
CREATE INDEX job_ended ON job (ended_at) WHERE ended_at IS NOT NULL;
-- They are counted each time that the daemon is asked how it is, without their large columns.
CREATE INDEX job_status ON job (status, asked_at);
