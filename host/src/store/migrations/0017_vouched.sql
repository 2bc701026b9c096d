-- An article of a mail that named the ticket's number and that nobody vouched for.
ALTER TABLE article ADD COLUMN unvouched BIGINT NOT NULL DEFAULT 0;

-- Who is in From, To or Cc of a ticket's articles, as far as it was read: up to the article `ticket.correspondents_to`.
CREATE TABLE correspondent (
    ticket_id BIGINT NOT NULL,
    mailbox TEXT NOT NULL,
    PRIMARY KEY (ticket_id, mailbox)
);
ALTER TABLE ticket ADD COLUMN correspondents_to BIGINT NOT NULL DEFAULT 0;
