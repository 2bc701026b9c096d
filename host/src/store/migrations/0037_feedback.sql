-- What people, or another desk for them, said to be the right label of a mail.
CREATE TABLE feedback (
    id {id},
    message_id TEXT NOT NULL,    -- with its angle brackets; of a long one its beginning and digest
    question TEXT NOT NULL,      -- of a classifier
    label TEXT NOT NULL,
    at BIGINT NOT NULL,          -- when the label was given, milliseconds since the epoch
    actor TEXT NOT NULL,         -- who gave it
    UNIQUE (message_id, question)
);
