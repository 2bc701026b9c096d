//! The one form in which configured things are read and written: the tables of the configuration file, the objects of
//! REST and the rows of the database all have the same keys and values.
//!
//! Each kind describes its keys once ([`HasKeys::describe`]): their names, what they are for, and how their values
//! are written. A [`ObjectReader`] fills a thing from an object and names every mistake with its place, a [`Writer`] makes
//! the object, [`super::keys`] tells of the keys themselves.

use super::{About, Configuration, Destination, Secret};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A mistake in something that was configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationMistake {
    /// Where, a JSON Pointer (RFC 6901) into the document: `/queue/0/follow_up`.
    pub pointer: String,
    /// What is wrong and what to do.
    pub sentence: String,
}

/// How a value is read and written.
pub struct Codec<T> {
    /// The value, or what was expected, as in `must be …`.
    pub read: fn(&Value) -> Result<T, String>,
    /// The value's form.
    pub write: fn(&T) -> Value,
    /// What is read and written, as JSON Schema; a shape that several keys have is named by its `title`. Bounds that a
    /// schema cannot say are held by `read` alone.
    pub schema: fn() -> Value,
}

/// What has keys.
pub trait HasKeys: Clone + Default {
    /// Lists its keys to a form.
    fn describe<F: KeyVisitor>(&mut self, form: &mut F);
}

/// A kind of configured thing.
pub trait ConfiguredKind: HasKeys + PartialEq + Send + Sync + 'static {
    /// The key of its tables in the file: `queue`.
    const KIND: &'static str;
    /// The key that names it: `name`.
    const NAME: &'static str = "name";
    /// What it is called, and what may be done with its things.
    const ABOUT: About;

    /// What it is known by.
    fn name(&self) -> String;
}

/// A kind whose things the [`Configuration`] holds in memory, all of them.
pub trait LoadedKind: ConfiguredKind {
    /// Its secrets, by key.
    fn secrets(&mut self) -> Vec<(&'static str, &mut Option<Secret>)> {
        Vec::new()
    }

    /// Where one of its secrets goes; a change of that asks for the secret again.
    fn destination(&self, _secret: &str) -> Destination {
        Destination::default()
    }

    /// What pruning does to a thing that a file does not name: whether it stays, changed or not.
    fn prune(&mut self) -> bool {
        true
    }

    /// All of its kind, by [`ConfiguredKind::name`].
    fn all(configuration: &Configuration) -> &BTreeMap<String, Self>;

    /// All of its kind, to be changed.
    fn all_mut(configuration: &mut Configuration) -> &mut BTreeMap<String, Self>;
}

/// What a kind lists its keys to. `help` says in a sentence what a key is for.
pub trait KeyVisitor {
    /// A key that may be left out.
    fn field<T>(&mut self, key: &'static str, help: &'static str, value: &mut T, codec: &Codec<T>);

    /// A key that must be there: a name, not empty, without control characters, at most 200 characters long.
    fn name(&mut self, key: &'static str, help: &'static str, value: &mut String);

    /// A secret: read, never written. An empty one, or null, is none.
    fn secret(&mut self, key: &'static str, help: &'static str, value: &mut Option<Secret>);

    /// A table inside.
    fn table(&mut self, key: &'static str, table: NestedTable, describe: impl FnOnce(&mut Self));

    /// A table inside that may be missing.
    fn optional_table<T: Default>(
        &mut self,
        key: &'static str,
        table: NestedTable,
        value: &mut Option<T>,
        describe: impl FnOnce(&mut Self, &mut T),
    );

    /// A list of tables inside. Each is read whole: what it leaves out has its default.
    fn tables<T: Default>(
        &mut self,
        key: &'static str,
        table: NestedTable,
        values: &mut Vec<T>,
        describe: impl Fn(&mut Self, &mut T),
    );
}

/// What a table inside a thing is.
#[derive(Debug, Clone, Copy)]
pub struct NestedTable {
    /// The name of its schema in the OpenAPI document: `Limits`.
    pub schema: &'static str,
    /// What it is for, a sentence.
    pub help: &'static str,
}

/// How a secret is taken from a value: the secret, or what is wrong with the value, which never says what the secret
/// is.
pub type TakeSecret<'a> = dyn Fn(&Value) -> Result<Secret, String> + 'a;

/// Takes a secret that stands there in clear: what comes over the network must not name files or variables of this
/// machine.
pub fn in_clear(value: &Value) -> Result<Secret, String> {
    value.as_str().map(Secret::new).ok_or_else(|| "must be a string.".to_owned())
}

/// Fills a thing from an object. What the object leaves out stays as it was.
pub struct ObjectReader<'a> {
    fields: &'a Map<String, Value>,
    pointer: String,
    known: Vec<&'static str>,
    secrets: &'a TakeSecret<'a>,
    problems: Vec<ConfigurationMistake>,
}

/// Makes an object out of a thing.
#[derive(Default)]
pub struct Writer {
    fields: Map<String, Value>,
}

/// Reads an object into `thing`; `pointer` is the object's place in its document. What is left out stays as it was in
/// `thing`, so that a default gives a whole thing and an existing one a change.
pub fn read<K: ConfiguredKind>(
    mut thing: K,
    object: &Value,
    pointer: &str,
    secrets: &TakeSecret<'_>,
) -> (K, Vec<ConfigurationMistake>) {
    let problems = match object {
        Value::Object(fields) => read_fields(&mut thing, fields, pointer, secrets),
        _ => vec![ConfigurationMistake {
            pointer: pointer.to_owned(),
            sentence: format!("a {} must be a table.", K::KIND.replace('_', " ")),
        }],
    };
    (thing, problems)
}

/// Reads the fields of an object into `thing`, as [`read`] does.
pub fn read_fields<D: HasKeys>(
    thing: &mut D,
    fields: &Map<String, Value>,
    pointer: &str,
    secrets: &TakeSecret<'_>,
) -> Vec<ConfigurationMistake> {
    let mut reader =
        ObjectReader { fields, pointer: pointer.to_owned(), known: Vec::new(), secrets, problems: Vec::new() };
    thing.describe(&mut reader);
    reader.finish()
}

/// The object of a thing, without its secrets.
pub fn write<D: HasKeys>(thing: &D) -> Map<String, Value> {
    let mut writer = Writer::default();
    thing.clone().describe(&mut writer);
    writer.fields
}

/// A pointer one step deeper.
pub fn below(pointer: &str, step: &str) -> String {
    format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"))
}

impl ObjectReader<'_> {
    fn take(&mut self, key: &'static str) -> Option<&Value> {
        self.known.push(key);
        self.fields.get(key)
    }

    fn problem(&mut self, key: &str, sentence: String) {
        self.problems.push(ConfigurationMistake { pointer: below(&self.pointer, key), sentence });
    }

    fn finish(mut self) -> Vec<ConfigurationMistake> {
        let unknown: Vec<&String> = self.fields.keys().filter(|key| !self.known.contains(&key.as_str())).collect();
        for key in unknown {
            let sentence = format!("there is no key `{key}` here; the keys are {}.", self.known.join(", "));
            self.problems.push(ConfigurationMistake { pointer: below(&self.pointer, key), sentence });
        }
        self.problems
    }
}

impl KeyVisitor for ObjectReader<'_> {
    fn field<T>(&mut self, key: &'static str, _help: &'static str, value: &mut T, codec: &Codec<T>) {
        match self.take(key).map(codec.read) {
            None => {}
            Some(Ok(read)) => *value = read,
            Some(Err(expected)) => self.problem(key, format!("must be {expected}.")),
        }
    }

    fn name(&mut self, key: &'static str, _help: &'static str, value: &mut String) {
        match self.take(key) {
            None if value.is_empty() => {
                self.problems.push(ConfigurationMistake {
                    pointer: self.pointer.clone(),
                    sentence: format!("the key `{key}` is missing."),
                });
            }
            None => {}
            Some(Value::String(name)) if is_name(name) => value.clone_from(name),
            Some(_) => {
                self.problem(key, "must be a string of 1 to 200 characters without control characters.".to_owned());
            }
        }
    }

    fn secret(&mut self, key: &'static str, _help: &'static str, value: &mut Option<Secret>) {
        let secrets = self.secrets;
        match self.take(key).filter(|given| !given.is_null()).map(secrets) {
            None if self.fields.contains_key(key) => *value = None,
            None => {}
            Some(Ok(secret)) => *value = Some(secret).filter(|secret| !secret.reveal().is_empty()),
            Some(Err(sentence)) => self.problem(key, sentence),
        }
    }

    fn table(&mut self, key: &'static str, _table: NestedTable, describe: impl FnOnce(&mut Self)) {
        let pointer = below(&self.pointer, key);
        self.known.push(key);
        match self.fields.get(key) {
            None => {}
            Some(Value::Object(fields)) => {
                let mut reader =
                    ObjectReader { fields, pointer, known: Vec::new(), secrets: self.secrets, problems: Vec::new() };
                describe(&mut reader);
                self.problems.extend(reader.finish());
            }
            Some(_) => self.problem(key, "must be a table.".to_owned()),
        }
    }

    /// What is null is taken away.
    fn optional_table<T: Default>(
        &mut self,
        key: &'static str,
        table: NestedTable,
        value: &mut Option<T>,
        describe: impl FnOnce(&mut Self, &mut T),
    ) {
        match self.fields.get(key) {
            None => self.known.push(key),
            Some(Value::Null) => {
                self.known.push(key);
                *value = None;
            }
            Some(_) => {
                let inner = value.get_or_insert_default();
                self.table(key, table, |reader| describe(reader, inner));
            }
        }
    }

    fn tables<T: Default>(
        &mut self,
        key: &'static str,
        _table: NestedTable,
        values: &mut Vec<T>,
        describe: impl Fn(&mut Self, &mut T),
    ) {
        self.known.push(key);
        let items = match self.fields.get(key) {
            None => return,
            Some(Value::Array(items)) => items,
            Some(_) => return self.problem(key, "must be a list of tables.".to_owned()),
        };
        values.clear();
        let list = below(&self.pointer, key);
        for (index, item) in items.iter().enumerate() {
            let pointer = below(&list, &index.to_string());
            let Value::Object(fields) = item else {
                self.problems.push(ConfigurationMistake { pointer, sentence: "must be a table.".to_owned() });
                continue;
            };
            let mut reader =
                ObjectReader { fields, pointer, known: Vec::new(), secrets: self.secrets, problems: Vec::new() };
            let mut value = T::default();
            describe(&mut reader, &mut value);
            self.problems.extend(reader.finish());
            values.push(value);
        }
    }
}

impl KeyVisitor for Writer {
    fn field<T>(&mut self, key: &'static str, _help: &'static str, value: &mut T, codec: &Codec<T>) {
        self.fields.insert(key.to_owned(), (codec.write)(value));
    }

    fn name(&mut self, key: &'static str, _help: &'static str, value: &mut String) {
        self.fields.insert(key.to_owned(), Value::String(value.clone()));
    }

    fn secret(&mut self, _key: &'static str, _help: &'static str, _value: &mut Option<Secret>) {}

    fn table(&mut self, key: &'static str, _table: NestedTable, describe: impl FnOnce(&mut Self)) {
        let mut writer = Self::default();
        describe(&mut writer);
        self.fields.insert(key.to_owned(), Value::Object(writer.fields));
    }

    fn optional_table<T: Default>(
        &mut self,
        key: &'static str,
        table: NestedTable,
        value: &mut Option<T>,
        describe: impl FnOnce(&mut Self, &mut T),
    ) {
        if let Some(inner) = value {
            self.table(key, table, |writer| describe(writer, inner));
        }
    }

    fn tables<T: Default>(
        &mut self,
        key: &'static str,
        _table: NestedTable,
        values: &mut Vec<T>,
        describe: impl Fn(&mut Self, &mut T),
    ) {
        let written = values.iter_mut().map(|value| {
            let mut writer = Self::default();
            describe(&mut writer, value);
            Value::Object(writer.fields)
        });
        self.fields.insert(key.to_owned(), written.collect());
    }
}

fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= 200 && !name.chars().any(char::is_control)
}
