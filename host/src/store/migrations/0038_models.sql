-- What classifiers have learnt. A model is made of customers' mails: its bytes are sealed, as secrets are.
CREATE TABLE model (
    id {id},
    filter TEXT NOT NULL,
    number BIGINT NOT NULL,       -- counted for each filter from 1 on, without using one again
    component TEXT NOT NULL,      -- the component that learnt it, as it was shown then
    digest TEXT NOT NULL,         -- SHA-256 of the bytes in clear, hexadecimal
    size BIGINT NOT NULL,         -- of the bytes in clear
    format TEXT NOT NULL,         -- of the bytes, in the component's words
    summary TEXT NOT NULL,        -- for people, in the component's words
    labels TEXT NOT NULL,         -- JSON: question -> label -> how many examples, and how many of these somebody gave
    examples BIGINT NOT NULL,
    seed BIGINT NOT NULL,
    trained_at BIGINT NOT NULL,   -- milliseconds since the epoch
    trained_by TEXT NOT NULL,     -- who asked for it
    UNIQUE (filter, number)
);
CREATE TABLE model_bytes (
    model_id {id},                -- given, never generated
    sealed {bytes} NOT NULL
);
-- The model that a filter answers by; none: it has no row here.
CREATE TABLE model_in_force (
    filter TEXT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    since BIGINT NOT NULL,
    actor TEXT NOT NULL
);
-- The number that was given last, so that none is given twice.
CREATE TABLE model_number (
    filter TEXT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
);
