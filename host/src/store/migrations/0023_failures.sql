-- How many tries failed on the message itself, while the process that works went on: it broke the process of its own, or its work ended with an error. What
-- tries counts besides are tries that ended with their host, and say nothing of the message. What was counted before this step may be either.
ALTER TABLE spool ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
