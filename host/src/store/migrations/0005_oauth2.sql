-- Tokens of accounts and transports. Tokens are sealed; times are of the database's clock.
CREATE TABLE oauth2_token (
    owner_kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    -- A digest of what the tokens were got for (client, user, addresses, scopes): others do not use them.
    settings TEXT NOT NULL,
    access_token TEXT,
    refresh_token TEXT,
    expires_at BIGINT,
    -- From then on the access token is renewed, a while before it ends.
    renew_at BIGINT,
    signed_in_at BIGINT,
    refreshed_at BIGINT,
    -- The provider's last refusal, until a success.
    error_code TEXT,
    error_text TEXT,
    error_since BIGINT,
    error_at BIGINT,
    error_final BIGINT NOT NULL DEFAULT 0,
    tries BIGINT NOT NULL DEFAULT 0,
    next_try_at BIGINT,
    -- One renewal at a time.
    claim TEXT,
    claimed_until BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (owner_kind, owner)
);

-- Sign-ins that were begun: the id is a digest of the state parameter, or random.
CREATE TABLE oauth2_sign_in (
    id TEXT NOT NULL PRIMARY KEY,
    owner_kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    settings TEXT NOT NULL,
    flow TEXT NOT NULL,
    -- Sealed: what finishes it.
    sealed TEXT NOT NULL,
    -- JSON: what the person who signs in is shown.
    shown TEXT NOT NULL,
    begun_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    taken_at BIGINT,
    -- waiting, done, failed
    status TEXT NOT NULL,
    error_code TEXT,
    error_text TEXT
);
CREATE INDEX oauth2_sign_in_owner ON oauth2_sign_in (owner_kind, owner, begun_at);
