-- Tickets by their last changes: whoever keeps a copy asks for those that were changed since.
CREATE INDEX ticket_changed ON ticket (changed_at, number);
