-- What was held after three tries before failures were counted may have ended its host each time: whoever releases it has it worked on in a process of
-- its own.
UPDATE spool SET suspect = 1 WHERE status = 'held' AND tries >= 3 AND failures = 0;
