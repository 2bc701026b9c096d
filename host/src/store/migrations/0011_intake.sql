-- Mail that was too large to be taken in, and whose sender was told so: a source that does not remove it, whatever it says, names it again at each fetch.
CREATE TABLE refused_mail (
    -- SHA-256 of account, size and header.
    digest {bytes} NOT NULL PRIMARY KEY,
    -- When a source last named it, in milliseconds since the epoch.
    named_at BIGINT NOT NULL
);
