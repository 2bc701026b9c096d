-- What people changed of tickets, and who: a row for each field that has another value since. What mails and filters change is told by their communications.
CREATE TABLE ticket_change (
    id {id},
    ticket_id BIGINT NOT NULL,
    at BIGINT NOT NULL,          -- milliseconds since the epoch
    actor TEXT NOT NULL,         -- who
    field TEXT NOT NULL,         -- as a ticket is shown: queue, state, owner, lock, merged_into
    earlier TEXT,                -- null: none
    later TEXT
);
CREATE INDEX ticket_change_ticket ON ticket_change (ticket_id, id);
