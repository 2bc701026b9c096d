-- What a POP3 account's listing is compared with, at every fetch.
CREATE INDEX spool_uidl ON spool (account) WHERE epoch = 'uidl' AND source_key IS NOT NULL;
