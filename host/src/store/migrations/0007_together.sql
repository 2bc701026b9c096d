-- Messages that a client brought for several recipients at once. Where the answers for some of them were lost, it brings the message again for those alone.
CREATE TABLE delivered_together (
    -- SHA-256 of account and bytes, without the recipients.
    content {bytes} NOT NULL,
    spool_id BIGINT NOT NULL,
    PRIMARY KEY (content, spool_id)
);
