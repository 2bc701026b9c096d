-- Rows whose keys are addresses get the one form that all spellings of an address have; no statement can make it, so the program does, once, when it opens the
-- database next.
CREATE TABLE respelling (what TEXT NOT NULL PRIMARY KEY);
INSERT INTO respelling (what) VALUES ('addresses');
