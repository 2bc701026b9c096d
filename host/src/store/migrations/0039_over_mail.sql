-- Articles packed over the bytes of the mail that they were filed from, most of which they say again.

-- 1: `packed` can be read with those bytes alone, which lie in `spool_raw`. Before they go, the article is packed by itself.
ALTER TABLE article ADD COLUMN over_mail BIGINT NOT NULL DEFAULT 0;
CREATE INDEX article_over_mail ON article (spool_id) WHERE over_mail = 1;

-- The run that reads such articles too, as `reads_packed`: an earlier program would take them for damaged, and let the bytes go that they need.
ALTER TABLE host ADD COLUMN reads_over_mail TEXT NOT NULL DEFAULT 'none';
ALTER TABLE lease ADD COLUMN reads_over_mail TEXT NOT NULL DEFAULT 'none';
-- One that started just before this step has not said yet that it is there: for some seconds there is taken to be one.
INSERT INTO lease (account, host, run, expires_at)
    SELECT '', '', 'unknown', {clock} + 12000 WHERE EXISTS (SELECT 1 FROM spool)
    ON CONFLICT (account) DO UPDATE SET expires_at = excluded.expires_at;

-- What was written out while an earlier program was there is packed as it is gone: also what the step before had done with.
INSERT INTO packing (what, done_to) VALUES ('articles', '0'), ('mails', '0') ON CONFLICT (what) DO NOTHING;
