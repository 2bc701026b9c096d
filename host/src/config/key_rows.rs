//! The keys that a configuration file may have, a row each: for `config keys` and for the reference in
//! `docs/configuration.md`.

use postigo_model::configured::form::{ConfiguredKind, LoadedKind};
use postigo_model::configured::keys::{ConfigurationKey, KeyContent, SchemaShape, keys};
use postigo_model::configured::{KindVisitor, Settings, visit_kinds};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write as _;

/// A key of the configuration file.
#[derive(Debug, Clone, Serialize)]
pub struct KeyRow {
    /// The table that has it: `queue`; `settings`.
    pub kind: &'static str,
    /// The key, those of tables inside after a dot: `tls.verify`.
    pub key: String,
    /// What it is for, a sentence.
    pub help: &'static str,
    /// Its values, in words.
    pub values: String,
    /// What a thing has that leaves it out; null where that is nothing.
    pub default: Value,
    /// Whether it must be there.
    pub required: bool,
    /// Whether it is a secret.
    pub secret: bool,
    /// JSON Schema of its values.
    pub schema: Value,
}

/// All keys, kind by kind.
pub fn key_rows() -> Vec<KeyRow> {
    let mut rows = Rows(Vec::new());
    rows.add("settings", "", &keys::<Settings>());
    visit_kinds(&mut rows);
    rows.0
}

struct Rows(Vec<KeyRow>);

impl KindVisitor for Rows {
    fn loaded<K: LoadedKind>(&mut self) {
        self.looked_up::<K>();
    }

    fn looked_up<K: ConfiguredKind>(&mut self) {
        self.add(K::KIND, "", &keys::<K>());
    }
}

impl Rows {
    fn add(&mut self, kind: &'static str, table: &str, keys: &[ConfigurationKey]) {
        for key in keys {
            let name = format!("{table}{}", key.name);
            let (values, default) = match &key.content {
                KeyContent::Table { keys, .. } | KeyContent::Tables { keys, .. } => {
                    self.add(kind, &format!("{name}."), keys);
                    continue;
                }
                KeyContent::Name => ("a name".to_owned(), Value::Null),
                KeyContent::Secret => ("a secret".to_owned(), Value::Null),
                KeyContent::Value { schema, default } => (values(schema), default.clone()),
            };
            let (required, secret) = (key.content == KeyContent::Name, key.content == KeyContent::Secret);
            let schema = key.schema(SchemaShape::Given);
            self.0.push(KeyRow { kind, key: name, help: key.help, values, default, required, secret, schema });
        }
    }
}

/// The values of a schema, in words.
fn values(schema: &Value) -> String {
    let code = |words: &Vec<Value>| words.iter().map(|word| format!("`{}`", bare(word))).collect::<Vec<_>>().join(", ");
    if let Some(words) = schema["enum"].as_array() {
        return code(words);
    }
    if let Some(parts) = schema["oneOf"].as_array() {
        return parts.iter().filter(|part| part["type"] != "null").map(values).collect::<Vec<_>>().join(", ");
    }
    let examples = schema["examples"].as_array().map(code);
    match (type_of(schema), examples) {
        ("boolean", _) => "`true`, `false`".to_owned(),
        ("integer", _) => match (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
            (Some(least), Some(most)) if most < u64::from(u32::MAX) => format!("a number from {least} to {most}"),
            (least, _) => format!("a number from {} on", least.unwrap_or_default()),
        },
        ("number", _) => format!("a number from {} to {}", schema["minimum"], schema["maximum"]),
        ("object", _) if schema["additionalProperties"]["type"] == "number" => "a table of such numbers".to_owned(),
        ("object", _) if schema["additionalProperties"]["type"] == "string" => "a table of texts".to_owned(),
        ("array", _) if schema["items"]["enum"].is_array() => format!("a list of {}", values(&schema["items"])),
        ("array", _) => "a list of texts".to_owned(),
        ("object", _) => "a table".to_owned(),
        (_, Some(examples)) if schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("[0-9]")) => {
            format!("as in {examples}")
        }
        (_, Some(examples)) => examples,
        _ => "a text".to_owned(),
    }
}

/// The type beside null.
fn type_of(schema: &Value) -> &str {
    let types = schema["type"].as_array().into_iter().flatten().filter_map(Value::as_str);
    schema["type"].as_str().or_else(|| types.into_iter().find(|name| *name != "null")).unwrap_or_default()
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl KeyRow {
    /// Its default as the file writes it; what else is to be said where there is none.
    pub fn default_text(&self) -> String {
        match &self.default {
            _ if self.required => "must be there".to_owned(),
            Value::Null => String::new(),
            value => value.to_string(),
        }
    }
}

/// The rows of some kinds as Markdown, a table for each kind.
pub fn as_markdown(rows: &[KeyRow]) -> String {
    let mut page = String::new();
    let mut kind = "";
    for row in rows {
        if row.kind != kind {
            kind = row.kind;
            let table = if kind == "settings" { format!("[{kind}]") } else { format!("[[{kind}]]") };
            // Writing to a string does not fail.
            let _ = write!(
                page,
                "\n### `{table}`\n\n| key | what it is for | values | default |\n| --- | --- | --- | --- |\n"
            );
        }
        let default = row.default_text();
        let default = if default.is_empty() || row.required { default } else { format!("`{default}`") };
        let _ = writeln!(page, "| `{}` | {} | {} | {default} |", row.key, row.help, row.values);
    }
    page
}
