-- What a component's name means is decided by an admin, once, and kept by digest.

-- An uploaded component acts once an admin has activated it. Before this step every one did; those that filters use still do.
ALTER TABLE component ADD COLUMN title TEXT;          -- name@version; null where another one has it, so that only the digest names this one
ALTER TABLE component ADD COLUMN source {bytes};      -- what was uploaded, where it was a core module; null: the bytes themselves
ALTER TABLE component ADD COLUMN uploaded_by TEXT NOT NULL DEFAULT '';
ALTER TABLE component ADD COLUMN activated_at BIGINT; -- null: uploaded, not activated
ALTER TABLE component ADD COLUMN activated_by TEXT;
UPDATE component SET title = name || '@' || version WHERE NOT EXISTS (
    SELECT 1 FROM component newer WHERE newer.name = component.name AND newer.version = component.version
    AND (newer.uploaded_at > component.uploaded_at OR (newer.uploaded_at = component.uploaded_at AND newer.digest < component.digest)));
CREATE UNIQUE INDEX component_title ON component (title);

-- Of a filter of an uploaded component, the digest that its `component` means; empty for everything else.
ALTER TABLE configured ADD COLUMN digest TEXT NOT NULL DEFAULT '';

-- Filters of before this step, whose names were looked up at each start: each is pinned to what it means, once, at the next opening.
CREATE TABLE filter_to_pin (
    name TEXT NOT NULL PRIMARY KEY
);
INSERT INTO filter_to_pin (name) SELECT name FROM configured WHERE kind = 'filter';

-- What each filter ran, and what it would go back to.
CREATE TABLE filter_component (
    id {id},
    filter TEXT NOT NULL,
    component TEXT NOT NULL, -- as it is shown: a shipped one's name, or name@version
    digest TEXT NOT NULL,    -- empty for a shipped one
    previous BIGINT,         -- the row that `filter rollback` goes to
    since BIGINT NOT NULL,   -- milliseconds since the epoch; 0 where that was not noted
    actor TEXT NOT NULL      -- who made it so
);
CREATE INDEX filter_component_filter ON filter_component (filter, id);
