-- The daemons: which version of the configuration each works by. One that was not seen for a while is gone.
CREATE TABLE host (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    seen BIGINT NOT NULL,
    version BIGINT NOT NULL,
    refused TEXT NOT NULL
);
