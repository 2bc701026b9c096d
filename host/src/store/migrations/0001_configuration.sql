-- What admins configure. `config_version` tells every host that something changed.
CREATE TABLE config_version (
    id BIGINT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO config_version (id, version) VALUES (1, 1);

-- The configuration is always read whole, so every configured thing is one row in the form of the configuration file and REST.
CREATE TABLE configured (
    kind TEXT NOT NULL,    -- settings, queue, system_address, account, dynamic_field, auto_response, transport, filter
    name TEXT NOT NULL,    -- what it is known by; addresses in lower case; empty for the settings
    body TEXT NOT NULL,    -- JSON without secrets; what is left out has its default
    secrets TEXT NOT NULL, -- JSON: field -> sealed secret
    PRIMARY KEY (kind, name)
);
INSERT INTO configured (kind, name, body, secrets) VALUES
    ('queue', 'Raw', '{"name":"Raw"}', '{}'),
    ('queue', 'Postmaster', '{"name":"Postmaster"}', '{}'),
    ('queue', 'Junk', '{"name":"Junk"}', '{}'),
    ('queue', 'Misc', '{"name":"Misc"}', '{}'),
    ('account', 'local', '{"name":"local","protocol":"local"}', '{}');

-- Customer users may be many: they are looked up, never loaded whole.
CREATE TABLE customer_user (
    login TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    email_folded TEXT NOT NULL, -- in lower case: what the look-up by sender compares
    customer_number TEXT NOT NULL
);
CREATE INDEX customer_user_email ON customer_user (email_folded);

-- Uploaded components; the shipped ones are part of the program.
CREATE TABLE component (
    digest TEXT NOT NULL PRIMARY KEY, -- SHA-256 of the uploaded bytes, hexadecimal
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    description TEXT NOT NULL,        -- JSON: what it says of itself
    bytes {bytes} NOT NULL,           -- a component, also where a core module was uploaded
    uploaded_at BIGINT NOT NULL
);
CREATE INDEX component_name ON component (name, uploaded_at);
