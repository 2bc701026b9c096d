//! The configuration as a file that `config apply` takes.

use postigo_model::configured::form::{ConfiguredKind, LoadedKind, write};
use postigo_model::configured::{Configuration, CustomerUser, KindVisitor, Settings, visit_kinds};
use serde_json::{Map, Value};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table};

/// Lines of a list that is longer than this are broken, an element each.
const WIDE: usize = 100;

/// The file. What has its default is left out, and so are secrets: a comment says how to give them.
pub fn export(configuration: &Configuration, customers: &[CustomerUser]) -> String {
    let mut document = DocumentMut::new();
    document.decor_mut().set_prefix(
        "# Postigo's configuration. Secrets are not in it: they stay what they are when it is applied.\n\n",
    );
    let fields = without(write(&configuration.settings), &write(&Settings::default()));
    if !fields.is_empty() {
        document.insert("settings", Item::Table(table(fields)));
    }
    let mut export = Export { document, configuration, customers };
    visit_kinds(&mut export);
    export.document.to_string()
}

struct Export<'e> {
    document: DocumentMut,
    configuration: &'e Configuration,
    customers: &'e [CustomerUser],
}

impl KindVisitor for Export<'_> {
    fn loaded<K: LoadedKind>(&mut self) {
        let tables = K::all(self.configuration).values().map(|thing| {
            let mut table = table_of(thing);
            let mut thing = thing.clone();
            for (key, _) in thing.secrets().iter().filter(|(_, secret)| secret.is_some()) {
                note_secret(&mut table, key);
            }
            table
        });
        self.add(K::KIND, tables.collect());
    }

    fn looked_up<K: ConfiguredKind>(&mut self) {
        self.add(CustomerUser::KIND, self.customers.iter().map(table_of).collect());
    }
}

impl Export<'_> {
    fn add(&mut self, kind: &'static str, tables: ArrayOfTables) {
        if !tables.is_empty() {
            self.document.insert(kind, Item::ArrayOfTables(tables));
        }
    }
}

/// A thing's keys but those that have their defaults.
fn table_of<K: ConfiguredKind>(thing: &K) -> Table {
    table(without(write(thing), &write(&K::default())))
}

/// `# password = { env = "…" }` above the table's second key.
fn note_secret(table: &mut Table, key: &str) {
    let note = format!(
        "# {key} is set and not shown; to change it: {key} = {{ env = \"VARIABLE\" }}, {{ file = \"PATH\" }} or a string\n"
    );
    let prefix = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or("\n").to_owned();
    table.decor_mut().set_prefix(format!("{prefix}{note}"));
}

/// The fields that differ from the defaults.
fn without(fields: Map<String, Value>, defaults: &Map<String, Value>) -> Map<String, Value> {
    fields
        .into_iter()
        .filter_map(|(key, value)| match (value, defaults.get(&key)) {
            (Value::Null, _) => None,
            (value, Some(default)) if value == *default => None,
            // A sign-in by OAuth2 is there or not as a whole; its keys are empty by default.
            (Value::Object(inner), None) if key == "oauth2" => {
                Some((key, Value::Object(inner.into_iter().filter(|(_, value)| !is_empty(value)).collect())))
            }
            (Value::Object(inner), Some(Value::Object(defaults))) => {
                Some((key, Value::Object(without(inner, defaults))))
            }
            (value, _) => Some((key, value)),
        })
        .collect()
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("") || value.as_array().is_some_and(Vec::is_empty)
}

fn table(fields: Map<String, Value>) -> Table {
    let mut table = Table::new();
    for (key, value) in fields {
        match value {
            // Settings of filters are as large as they like: a table of their own, after the other keys.
            Value::Object(inner) if key == "settings" => {
                table.insert(&key, Item::Table(self::table(inner)));
            }
            value => {
                if let Some(value) = toml_value(value) {
                    table.insert(&key, Item::Value(value));
                }
            }
        }
    }
    table
}

/// None for null, which TOML does not have: there, it is left out.
fn toml_value(value: Value) -> Option<toml_edit::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => flag.into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64()?.into(),
        },
        Value::String(text) => text.into(),
        Value::Array(items) => array(items).into(),
        Value::Object(fields) => {
            let mut table = InlineTable::new();
            for (key, value) in fields {
                table.extend(toml_value(value).map(|value| (key, value)));
            }
            table.into()
        }
    })
}

fn array(items: Vec<Value>) -> Array {
    let mut array: Array = items.into_iter().filter_map(toml_value).collect();
    if array.to_string().len() > WIDE {
        for item in array.iter_mut() {
            item.decor_mut().set_prefix("\n    ");
        }
        array.set_trailing("\n");
        array.set_trailing_comma(true);
    }
    array
}
