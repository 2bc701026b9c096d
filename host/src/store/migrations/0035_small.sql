-- What an article says, and the bytes of a mail as it came in, are packed too.

-- What an article says. `article.detail` is '' where this is set, and has JSON in rows of before this step until they are packed, in the background.
ALTER TABLE article ADD COLUMN packed {bytes};

-- 1: `raw` is packed.
ALTER TABLE spool_raw ADD COLUMN packed BIGINT NOT NULL DEFAULT 0;

-- The run that reads packed articles and mails, and says which communications it changes. A program of an earlier version, which goes on while others are
-- brought up to date, would file what it does not understand: while there is one, nothing is packed and nothing summed up. It writes its own run over that of
-- a row and leaves this as it is, so that the two differ.
ALTER TABLE host ADD COLUMN reads_packed TEXT NOT NULL DEFAULT 'none';
ALTER TABLE lease ADD COLUMN reads_packed TEXT NOT NULL DEFAULT 'none';
-- One that started just before this step has not said yet that it is there: for some seconds there is taken to be one.
INSERT INTO lease (account, host, run, expires_at)
    SELECT '', '', 'unknown', {clock} + 12000 WHERE EXISTS (SELECT 1 FROM spool);

-- What programs of before packing wrote, or still write.
CREATE INDEX communication_written ON communication (id) WHERE entries <> '[]' AND status <> 'processing';
CREATE INDEX spool_written ON spool (id) WHERE result IS NOT NULL;

INSERT INTO packing (what, done_to) VALUES ('articles', '0'), ('mails', '0');
