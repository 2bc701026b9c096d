-- Which mail a communication is about, what became of it, and which filters had to do with it: what people look for.
ALTER TABLE communication ADD COLUMN sender TEXT NOT NULL DEFAULT '';
ALTER TABLE communication ADD COLUMN recipients TEXT NOT NULL DEFAULT '';
ALTER TABLE communication ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE communication ADD COLUMN message_id TEXT NOT NULL DEFAULT '';
ALTER TABLE communication ADD COLUMN ticket_number TEXT;
-- NULL: of a connection, of one that runs, or of before this step.
ALTER TABLE communication ADD COLUMN fate TEXT;
CREATE INDEX communication_article ON communication (article_id) WHERE article_id IS NOT NULL;

CREATE TABLE communication_filter (
    filter TEXT NOT NULL,
    -- The communication's.
    id TEXT NOT NULL,
    PRIMARY KEY (filter, id)
);
CREATE INDEX communication_filter_id ON communication_filter (id);

-- For the log, which has no other way to it once a mail is composed.
ALTER TABLE outgoing ADD COLUMN subject TEXT NOT NULL DEFAULT '';
