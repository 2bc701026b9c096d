-- A list of components reads none of their schemas. Null: an earlier version kept the schema inside the description.
ALTER TABLE component ADD COLUMN settings_schema TEXT; -- JSON Schema of a filter's settings
