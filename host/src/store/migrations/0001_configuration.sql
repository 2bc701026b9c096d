-- What admins configure. `config_version` tells every host that something changed.
CREATE TABLE config_version (
    id BIGINT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO config_version (id, version) VALUES (1, 1);
