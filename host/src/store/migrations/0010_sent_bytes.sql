-- 1: the mail may hold bytes above 127, which the next server is told of (8BITMIME).
ALTER TABLE outgoing ADD COLUMN eight_bits BIGINT NOT NULL DEFAULT 1;
