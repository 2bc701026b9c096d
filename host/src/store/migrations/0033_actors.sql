-- Who changed what, and when; and what was configured before.

-- A row for every change of a configured thing, in the transaction of the change. Secrets are never here: their names are.
CREATE TABLE configured_version (
    kind TEXT NOT NULL,          -- as in `configured`; customer_user besides
    name TEXT NOT NULL,          -- as in `configured`; the login of a customer user
    number BIGINT NOT NULL,      -- counted for each thing from 1 on, without gaps; it goes on where one is deleted and made again
    at BIGINT,                   -- milliseconds since the epoch; null where it was not noted
    actor TEXT,                  -- who; null where it was not noted
    way TEXT,                    -- rest, command-line, file, daemon; null where it was not noted
    act TEXT NOT NULL,           -- created, changed, deleted; found: it was there, and nobody noted how it came
    keys TEXT NOT NULL,          -- JSON: the keys that have another value than before
    secrets TEXT NOT NULL,       -- JSON: the names of the secrets that were set, changed or taken away
    has_secrets TEXT NOT NULL,   -- JSON: the names of those that it has
    configuration BIGINT,        -- the version of the configuration that it made; null where it was not noted
    digest TEXT NOT NULL,        -- SHA-256 of the thing as it was from then on, hexadecimal; empty where it is gone
    body {bytes} NOT NULL,       -- the thing as it was from then on, JSON, packed; empty where it is gone
    PRIMARY KEY (kind, name, number)
);

-- Null where it was not noted: rows of before this step, and of hosts of an earlier version that still run.
ALTER TABLE configured ADD COLUMN created_at BIGINT;
ALTER TABLE configured ADD COLUMN created_by TEXT;
ALTER TABLE customer_user ADD COLUMN created_at BIGINT;
ALTER TABLE customer_user ADD COLUMN created_by TEXT;

ALTER TABLE access_token ADD COLUMN created_by TEXT;

-- Who released or dropped a message last; who had a mail tried again or cancelled last.
ALTER TABLE spool ADD COLUMN handled_at BIGINT;
ALTER TABLE spool ADD COLUMN handled_by TEXT;
ALTER TABLE outgoing ADD COLUMN handled_at BIGINT;
ALTER TABLE outgoing ADD COLUMN handled_by TEXT;

ALTER TABLE deleted_component ADD COLUMN deleted_at BIGINT;
ALTER TABLE deleted_component ADD COLUMN deleted_by TEXT;
