-- What answers are made from, and what keeps a repeated request from sending twice.

-- For the tags of templates, and to choose among the languages of an answer.
ALTER TABLE customer_user ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE customer_user ADD COLUMN first_name TEXT NOT NULL DEFAULT '';
ALTER TABLE customer_user ADD COLUMN last_name TEXT NOT NULL DEFAULT '';

-- A request that names a key is carried out once; sent again, it gets the first one's answer.
CREATE TABLE idempotency (
    -- Whose key it is: `token:` and the token's row id, or `cli`.
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    -- SHA-256 of route and body, hexadecimal.
    digest TEXT NOT NULL,
    -- JSON.
    answer TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (scope, name)
);
CREATE INDEX idempotency_age ON idempotency (created_at);
