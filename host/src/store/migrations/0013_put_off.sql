-- How often a message was put off until there was time for it: the next time, what its filters take is paid for, and it is worked on to its end.
ALTER TABLE spool ADD COLUMN put_off BIGINT NOT NULL DEFAULT 0;
