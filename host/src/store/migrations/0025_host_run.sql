-- Which run of the host said so last: two daemons with one id, of a copied data folder, find one another.
ALTER TABLE host ADD COLUMN run TEXT NOT NULL DEFAULT '';
