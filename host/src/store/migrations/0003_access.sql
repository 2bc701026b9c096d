-- Who may use the REST API. Of a token only its digest is kept: 256 random bits cannot be guessed from it.
CREATE TABLE access_token (
    id {id},
    name TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT
);
