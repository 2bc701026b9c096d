-- A message's way: spool, tickets, communication log, and what hosts tell each other.
-- Rows that change often are kept apart from bytes that never do: an UPDATE writes its whole row again.

-- What a UID belongs to: a new identity whenever host, user or folder of an account is changed.
CREATE TABLE mailbox (
    id {id},
    account TEXT NOT NULL,
    host TEXT NOT NULL,
    user_name TEXT NOT NULL,
    folder TEXT NOT NULL,
    UNIQUE (account, host, user_name, folder)
);

CREATE TABLE spool (
    id {id},
    account TEXT NOT NULL,
    -- The source's own key; NULL: this message is always a new one.
    source_key TEXT UNIQUE,
    -- Mailbox identity and UIDVALIDITY; empty for other sources. A digest is compared across epochs only.
    epoch TEXT NOT NULL,
    -- SHA-256 of account, recipients and bytes.
    digest {bytes} NOT NULL,
    source TEXT NOT NULL,
    communication TEXT,
    received_at BIGINT NOT NULL,
    internal_date BIGINT,
    recipients TEXT NOT NULL,
    size BIGINT NOT NULL,
    -- Name in the object store; NULL: the bytes are in spool_raw.
    object TEXT,
    status TEXT NOT NULL,
    -- 1 after an unclean end while it was claimed: runs alone.
    suspect BIGINT NOT NULL DEFAULT 0,
    tries BIGINT NOT NULL DEFAULT 0,
    -- The token of the claim in force; 0: none.
    claim BIGINT NOT NULL DEFAULT 0,
    not_before BIGINT NOT NULL DEFAULT 0,
    ended_at BIGINT,
    reason TEXT,
    result TEXT
);
CREATE INDEX spool_digest ON spool (digest);
CREATE INDEX spool_open ON spool (account, id) WHERE status IN ('waiting', 'claimed');
CREATE INDEX spool_object ON spool (ended_at) WHERE object IS NOT NULL;
CREATE INDEX spool_aside ON spool (status, id) WHERE status IN ('held', 'failed', 'ignored');

CREATE TABLE spool_raw (
    -- Given, never generated.
    spool_id {id},
    raw {bytes} NOT NULL
);

-- One host works on an account's messages at a time. Times are the database's clock.
CREATE TABLE lease (
    account TEXT NOT NULL PRIMARY KEY,
    -- The data folder's id, and the process's.
    host TEXT NOT NULL,
    run TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE ticket (
    id {id},
    number TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    queue TEXT NOT NULL,
    state TEXT NOT NULL,
    priority TEXT NOT NULL,
    type TEXT NOT NULL,
    service TEXT,
    sla TEXT,
    lock_state TEXT NOT NULL,
    owner TEXT,
    responsible TEXT,
    customer_number TEXT,
    customer_user TEXT,
    pending_until BIGINT,
    dynamic_fields TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    merged_into BIGINT
);

-- The dynamic fields once more, to be found by value.
CREATE TABLE ticket_field (
    ticket_id BIGINT NOT NULL,
    field TEXT NOT NULL,
    value TEXT NOT NULL
);
CREATE INDEX ticket_field_value ON ticket_field (field, value);
CREATE INDEX ticket_field_ticket ON ticket_field (ticket_id);

CREATE TABLE ticket_link (
    ticket_id BIGINT NOT NULL,
    other_id BIGINT NOT NULL,
    PRIMARY KEY (ticket_id, other_id)
);

-- The last counter of a day, or of all time.
CREATE TABLE ticket_counter (
    scope TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE article (
    id {id},
    ticket_id BIGINT NOT NULL,
    -- Where the received bytes are.
    spool_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    sender_type TEXT NOT NULL,
    visible_for_customer BIGINT NOT NULL,
    message_id TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX article_ticket ON article (ticket_id);
CREATE INDEX article_message_id ON article (message_id) WHERE message_id <> '';

-- Mail that is to be sent: automatic answers (response is the configured answer's name), and refusals of mail that was not taken in
-- (response is the text; they have neither ticket nor article).
CREATE TABLE outgoing (
    id {id},
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    ticket_id BIGINT NOT NULL,
    article_id BIGINT NOT NULL,
    occasion TEXT NOT NULL,
    response TEXT NOT NULL,
    recipients TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX outgoing_waiting ON outgoing (id) WHERE status = 'waiting';

-- Automatic answers to an address on a day.
CREATE TABLE auto_response_count (
    address TEXT NOT NULL,
    day TEXT NOT NULL,
    answers BIGINT NOT NULL,
    PRIMARY KEY (address, day)
);

-- One object of the communication log with its entries, packed. A message's row names the connection's that brought it as its parent.
CREATE TABLE communication (
    id TEXT NOT NULL PRIMARY KEY,
    parent TEXT,
    account TEXT NOT NULL,
    transport TEXT NOT NULL,
    direction TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    priority BIGINT NOT NULL,
    spool_id BIGINT,
    article_id BIGINT,
    search TEXT NOT NULL,
    entries TEXT NOT NULL
);
CREATE INDEX communication_running ON communication (account) WHERE status = 'processing';
CREATE INDEX communication_parent ON communication (parent) WHERE parent IS NOT NULL;

-- A command's wish that the daemon fetches an account now, and the answer.
CREATE TABLE fetch_request (
    id {id},
    account TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    taken_by TEXT,
    answer TEXT
);
