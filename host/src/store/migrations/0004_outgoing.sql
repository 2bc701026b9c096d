-- The outgoing queue. What filing writes is `due`: decided, not composed yet. `waiting` is a composed mail that is to be sent; `sending` one that a process works on.
ALTER TABLE outgoing ADD COLUMN sender TEXT NOT NULL DEFAULT '';        -- of the envelope; empty: the null sender
ALTER TABLE outgoing ADD COLUMN queue TEXT NOT NULL DEFAULT '';
ALTER TABLE outgoing ADD COLUMN message_id TEXT NOT NULL DEFAULT '';
ALTER TABLE outgoing ADD COLUMN size BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outgoing ADD COLUMN transport TEXT;                         -- chosen by the configuration in force; NULL: none yet
ALTER TABLE outgoing ADD COLUMN tries BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outgoing ADD COLUMN uncertain_tries BIGINT NOT NULL DEFAULT 0; -- those whose answer was lost: each may have reached the recipients
ALTER TABLE outgoing ADD COLUMN queued_at BIGINT NOT NULL DEFAULT 0;    -- when it became `waiting`
ALTER TABLE outgoing ADD COLUMN next_try_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outgoing ADD COLUMN claim TEXT NOT NULL DEFAULT '';         -- the token of the claim in force
ALTER TABLE outgoing ADD COLUMN claimed_by TEXT NOT NULL DEFAULT '';    -- the data folder's id
ALTER TABLE outgoing ADD COLUMN claimed_until BIGINT NOT NULL DEFAULT 0; -- by the database's clock
ALTER TABLE outgoing ADD COLUMN data_begun BIGINT NOT NULL DEFAULT 0;   -- 1 before the content of an automatic mail goes out
ALTER TABLE outgoing ADD COLUMN last_error TEXT NOT NULL DEFAULT '';
ALTER TABLE outgoing ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0;
UPDATE outgoing SET status = 'due', changed_at = created_at WHERE status = 'waiting';
DROP INDEX outgoing_waiting;
CREATE INDEX outgoing_waiting ON outgoing (transport, next_try_at, id) WHERE status = 'waiting';
CREATE INDEX outgoing_due ON outgoing (id) WHERE status = 'due';
CREATE INDEX outgoing_sending ON outgoing (claimed_until) WHERE status = 'sending';
CREATE INDEX outgoing_status ON outgoing (status, id);
CREATE INDEX outgoing_ticket ON outgoing (ticket_id) WHERE ticket_id <> 0;
CREATE INDEX outgoing_message_id ON outgoing (message_id) WHERE message_id <> '';

-- The composed bytes, cut into parts, so that a large mail never is in memory whole while it is sent.
CREATE TABLE outgoing_raw (
    outgoing_id BIGINT NOT NULL,
    part BIGINT NOT NULL,
    raw {bytes} NOT NULL,
    PRIMARY KEY (outgoing_id, part)
);

-- What became of it, a row a recipient: waiting, sent, delayed, failed, uncertain, delivered.
CREATE TABLE delivery (
    outgoing_id BIGINT NOT NULL,
    recipient TEXT NOT NULL,
    status TEXT NOT NULL,
    detail TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (outgoing_id, recipient)
);

-- An article that we sent: its bytes are those of the outgoing mail. 0: its bytes, if any, are in the spool.
ALTER TABLE article ADD COLUMN outgoing_id BIGINT NOT NULL DEFAULT 0;
CREATE INDEX article_outgoing ON article (outgoing_id) WHERE outgoing_id <> 0;
