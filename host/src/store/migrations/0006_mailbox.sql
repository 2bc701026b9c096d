-- What is remembered of an IMAP folder under one UIDVALIDITY.
CREATE TABLE mailbox_state (
    mailbox BIGINT NOT NULL,
    uid_validity BIGINT NOT NULL,
    -- Mail below this UID was there before the account began (start = "now") and is left alone; 0: none.
    first_uid BIGINT NOT NULL,
    -- The newest INTERNALDATE among that mail, by which it is told from other mail once the server has renumbered it.
    left_before BIGINT NOT NULL,
    -- Below this UID nothing is left to do, under these settings; the folder was last listed from its beginning then.
    settled BIGINT NOT NULL,
    settled_for TEXT NOT NULL,
    listed_at BIGINT NOT NULL,
    PRIMARY KEY (mailbox, uid_validity)
);

-- Held messages that were put into their account's failed_folder ('done'), or may have been ('begun').
CREATE TABLE set_aside (
    spool_id BIGINT NOT NULL PRIMARY KEY,
    status TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);
