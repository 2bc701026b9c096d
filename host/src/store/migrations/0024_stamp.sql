-- Random with every change: tells states of the configuration apart that have one number, since an earlier database was put back and changed anew.
ALTER TABLE config_version ADD COLUMN stamp BIGINT NOT NULL DEFAULT 0;
ALTER TABLE host ADD COLUMN stamp BIGINT NOT NULL DEFAULT 0;
