-- 1: the mail may hold bytes above 127, which the next server is told of (8BITMIME).
ALTER TABLE outgoing ADD COLUMN eight_bits BIGINT NOT NULL DEFAULT 1;

-- Of a failure: 'hard', a server refused for good; 'soft', it was given up because the trouble did not pass.
ALTER TABLE delivery ADD COLUMN failure TEXT NOT NULL DEFAULT '';
