-- What name and version of a deleted component meant: they come back with the same bytes only. Of what was deleted before this step nothing is known.
CREATE TABLE deleted_component (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (name, version)
);
