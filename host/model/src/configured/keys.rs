//! The keys of configured things, as they are told of: to clients by schemas, to admins by the reference page and the
//! command line.

use super::Secret;
use super::form::{Codec, HasKeys, KeyVisitor, NestedTable};
use serde_json::{Map, Value, json};

/// A key.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigurationKey {
    /// Its name: `follow_up`.
    pub name: &'static str,
    /// What it is for, a sentence.
    pub help: &'static str,
    /// What it has.
    pub content: KeyContent,
}

/// What a key has.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyContent {
    /// A name, which must be there.
    Name,
    /// A value, and the one that a thing has which leaves it out.
    Value {
        /// JSON Schema of the values.
        schema: Value,
        /// As it is written.
        default: Value,
    },
    /// A text that is taken and never given.
    Secret,
    /// A table.
    Table {
        /// The name of its schema: `Limits`.
        schema: &'static str,
        /// Its keys.
        keys: Vec<ConfigurationKey>,
        /// Whether it may be missing, which null says.
        is_optional: bool,
    },
    /// A list of tables, none of them by default.
    Tables {
        /// The name of the schema of each: `AnswerMapping`.
        schema: &'static str,
        /// The keys of each.
        keys: Vec<ConfigurationKey>,
    },
}

/// In which way a schema says what a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaShape {
    /// As it is shown: whole, without secrets.
    Shown,
    /// As it is given whole: what is left out has its default.
    Given,
    /// As a change of one: what is left out stays.
    Change,
}

impl SchemaShape {
    /// What the names of its schemas end with.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Shown => "",
            Self::Given => "Input",
            Self::Change => "Change",
        }
    }
}

/// The keys of a kind, or of the settings, in their order.
pub fn keys<D: HasKeys>() -> Vec<ConfigurationKey> {
    let mut collector = Collector::default();
    D::default().describe(&mut collector);
    collector.0
}

/// JSON Schema of an object that has these keys. Tables inside, and shapes that several keys have, stand in it under
/// their names as `title`.
pub fn schema(title: &str, help: &str, keys: &[ConfigurationKey], shape: SchemaShape) -> Value {
    let shown = keys.iter().filter(|key| shape != SchemaShape::Shown || key.content != KeyContent::Secret);
    let properties: Map<String, Value> = shown.map(|key| (key.name.to_owned(), key.schema(shape))).collect();
    let required: Vec<&str> = keys.iter().filter(|key| key.must_be_there(shape)).map(|key| key.name).collect();
    json!({
        "title": format!("{title}{}", shape.ending()),
        "description": help,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false
    })
}

impl ConfigurationKey {
    /// JSON Schema of what the key has, with what it is for.
    pub fn schema(&self, shape: SchemaShape) -> Value {
        let mut described = match &self.content {
            KeyContent::Name => json!({ "type": "string", "minLength": 1, "maxLength": 200, "pattern": NAME }),
            KeyContent::Secret => json!({ "type": ["string", "null"], "writeOnly": true }),
            KeyContent::Value { schema, .. } => wrapped(schema.clone()),
            KeyContent::Table { schema: title, keys, is_optional } => {
                let inner = schema(title, self.help, keys, shape);
                if *is_optional && shape != SchemaShape::Shown {
                    json!({ "oneOf": [inner, { "type": "null" }] })
                } else {
                    wrapped(inner)
                }
            }
            KeyContent::Tables { schema: title, keys } => {
                json!({ "type": "array", "items": item_schema(title, self.help, keys, shape) })
            }
        };
        described["description"] = Value::from(self.help);
        if let KeyContent::Value { default, .. } = &self.content
            && shape == SchemaShape::Given
        {
            described["default"] = default.clone();
        }
        if matches!(self.content, KeyContent::Tables { .. }) && shape == SchemaShape::Given {
            described["default"] = json!([]);
        }
        described
    }

    /// Whether an object of this shape must have it.
    fn must_be_there(&self, shape: SchemaShape) -> bool {
        match (&self.content, shape) {
            (KeyContent::Secret | KeyContent::Table { is_optional: true, .. }, _) | (_, SchemaShape::Change) => false,
            (KeyContent::Name, _) | (_, SchemaShape::Shown) => true,
            (_, SchemaShape::Given) => false,
        }
    }
}

/// JSON Schema of a table in a list. A change of the thing that has the list gives each table of it whole.
fn item_schema(title: &str, help: &str, keys: &[ConfigurationKey], shape: SchemaShape) -> Value {
    let given = match shape {
        SchemaShape::Shown => SchemaShape::Shown,
        SchemaShape::Given | SchemaShape::Change => SchemaShape::Given,
    };
    schema(title, help, keys, given)
}

/// What has a name of its own stands by itself, so that what a key says of it is the key's.
fn wrapped(schema: Value) -> Value {
    if schema.get("title").is_some() { json!({ "allOf": [schema] }) } else { schema }
}

/// 1 to 200 characters, not all of them white space, none of them a control character.
const NAME: &str = r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$";

/// Collects the keys that are listed to it.
#[derive(Default)]
struct Collector(Vec<ConfigurationKey>);

impl Collector {
    fn inner(&mut self, key: &'static str, table: NestedTable, is_optional: bool, describe: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        describe(&mut inner);
        let content = KeyContent::Table { schema: table.schema, keys: inner.0, is_optional };
        self.0.push(ConfigurationKey { name: key, help: table.help, content });
    }
}

impl KeyVisitor for Collector {
    fn field<T>(&mut self, key: &'static str, help: &'static str, value: &mut T, codec: &Codec<T>) {
        self.0.push(ConfigurationKey {
            name: key,
            help,
            content: KeyContent::Value { schema: (codec.schema)(), default: (codec.write)(value) },
        });
    }

    fn name(&mut self, key: &'static str, help: &'static str, _value: &mut String) {
        self.0.push(ConfigurationKey { name: key, help, content: KeyContent::Name });
    }

    fn secret(&mut self, key: &'static str, help: &'static str, _value: &mut Option<Secret>) {
        self.0.push(ConfigurationKey { name: key, help, content: KeyContent::Secret });
    }

    fn table(&mut self, key: &'static str, table: NestedTable, describe: impl FnOnce(&mut Self)) {
        self.inner(key, table, false, describe);
    }

    fn optional_table<T: Default>(
        &mut self,
        key: &'static str,
        table: NestedTable,
        _value: &mut Option<T>,
        describe: impl FnOnce(&mut Self, &mut T),
    ) {
        self.inner(key, table, true, |collector| describe(collector, &mut T::default()));
    }

    fn tables<T: Default>(
        &mut self,
        key: &'static str,
        table: NestedTable,
        _values: &mut Vec<T>,
        describe: impl Fn(&mut Self, &mut T),
    ) {
        let mut inner = Self::default();
        describe(&mut inner, &mut T::default());
        let content = KeyContent::Tables { schema: table.schema, keys: inner.0 };
        self.0.push(ConfigurationKey { name: key, help: table.help, content });
    }
}

#[cfg(test)]
mod tests;
