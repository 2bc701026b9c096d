//! `KEY=VALUE`: keys as the configuration file has them, with values as a shell's user writes them.
//!
//! What a value means follows from its key: a text is taken as it stands, `true` is a flag where flags are, `a,b` a
//! list where lists are. Lists and tables may also be written as in the file (TOML) or as JSON. Texts and secrets may
//! be named: `{ env = "VARIABLE" }`, `{ file = "PATH" }`, so that no history of a shell keeps a password. An empty
//! value is the key's default.

use crate::config::{File, given_or_named, named};
use crate::service::configured::{Given, Object};
use postigo_model::configured::form::{Problem, below};
use postigo_model::configured::keys::{Content, Key};
use serde_json::{Map, Value};
use std::path::Path;
use std::str::FromStr;

/// A text that is named may have so many bytes.
const LARGEST_TEXT: u64 = 1 << 20;

/// A key and what it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// The key's steps: `["tls", "verify"]`.
    path: Vec<String>,
    value: String,
}

impl FromStr for KeyValue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((key, value)) =
            text.split_once('=').filter(|(key, _)| key.split('.').all(|step| !step.trim().is_empty()))
        else {
            return Err("write KEY=VALUE, as in comment=\"for the summer\" or tls.verify=false".to_owned());
        };
        Ok(Self { path: key.split('.').map(|step| step.trim().to_owned()).collect(), value: value.to_owned() })
    }
}

/// What is to be set, read by the keys that there are.
#[derive(Debug, Default)]
pub struct Changes {
    values: Vec<(Vec<String>, Value)>,
    problems: Vec<Problem>,
}

impl Changes {
    /// Reads what was given for the keys of a kind; files and variables are read now.
    pub fn read(keys: &[Key], given: &[KeyValue]) -> Self {
        let mut changes = Self::default();
        for KeyValue { path, value } in given {
            let read = match find(keys, path) {
                Found::Key(key) => read(key, value),
                Found::Inside => free(value),
                // The form says which keys there are.
                Found::Nothing => Ok(Value::String(value.clone())),
            };
            match read {
                Ok(value) => changes.add(path.clone(), value),
                Err(sentence) => changes.problem(path, sentence),
            }
        }
        changes
    }

    /// Sets a key, where there is a value for it.
    #[must_use]
    pub fn key(mut self, key: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.add(vec![key.to_owned()], value.into());
        }
        self
    }

    /// Adds a value; lists grow, everything else is given once.
    fn add(&mut self, path: Vec<String>, value: Value) {
        match (self.values.iter_mut().find(|(earlier, _)| *earlier == path), value) {
            (None, value) => self.values.push((path, value)),
            (Some((_, Value::Array(earlier))), Value::Array(more)) => earlier.extend(more),
            (Some(_), _) => self.problem(&path, "is given twice; give it once.".to_owned()),
        }
    }

    fn problem(&mut self, path: &[String], sentence: String) {
        let pointer = path.iter().fold(String::new(), |pointer, step| below(&pointer, step));
        self.problems.push(Problem { pointer, sentence });
    }

    /// As the form of a thing takes it that is `there`: a table of free content, such as a filter's settings, keeps
    /// what is not set. The thing keeps its `name`, which stands under the key `name_key`.
    pub fn onto(&self, there: &Object, name_key: &str, name: &str) -> Given {
        let (mut fields, mut problems) = (Object::new(), self.problems.clone());
        for (path, value) in &self.values {
            if !set(&mut fields, there, path, value) {
                let sentence =
                    format!("stands beside {} as a whole; give one of them.", path.first().map_or("", String::as_str));
                let pointer = path.iter().fold(String::new(), |pointer, step| below(&pointer, step));
                problems.push(Problem { pointer, sentence });
            }
        }
        let given = fields.insert(name_key.to_owned(), Value::String(name.to_owned()));
        if given.is_some_and(|given| given != name) {
            let sentence = format!("must be \"{name}\", as the command names it: nothing is renamed.");
            problems.push(Problem { pointer: below("", name_key), sentence });
        }
        Given { fields, problems }
    }
}

/// Sets a value at its place; false where there is something else than a table on the way.
fn set(fields: &mut Object, there: &Object, path: &[String], value: &Value) -> bool {
    let nothing = Object::new();
    match path {
        [] => false,
        [key] => match (fields.get_mut(key), value) {
            (None, value) => {
                fields.insert(key.clone(), value.clone());
                true
            }
            (Some(Value::Object(earlier)), Value::Object(value)) => {
                earlier.extend(value.clone());
                true
            }
            (Some(_), _) => false,
        },
        [key, rest @ ..] => {
            let there = there.get(key).and_then(Value::as_object).unwrap_or(&nothing);
            let inner = fields.entry(key.as_str()).or_insert_with(|| Value::Object(there.clone()));
            inner.as_object_mut().is_some_and(|inner| set_inside(inner, there, rest, value))
        }
    }
}

/// What is there already gives way.
fn set_inside(inner: &mut Object, there: &Object, path: &[String], value: &Value) -> bool {
    if let [key] = path {
        inner.insert(key.clone(), value.clone());
        return true;
    }
    set(inner, there, path, value)
}

enum Found<'k> {
    Key(&'k Key),
    /// Below a key whose content its keys do not tell.
    Inside,
    Nothing,
}

fn find<'k>(keys: &'k [Key], path: &[String]) -> Found<'k> {
    let Some((step, rest)) = path.split_first() else { return Found::Nothing };
    let Some(key) = keys.iter().find(|key| key.name == step) else { return Found::Nothing };
    match &key.content {
        _ if rest.is_empty() => Found::Key(key),
        Content::Table { keys, .. } => find(keys, rest),
        Content::Value { schema, .. } if allows(schema, "object") => Found::Inside,
        _ => Found::Nothing,
    }
}

/// Whether values of a JSON type fit a schema.
fn allows(schema: &Value, of: &str) -> bool {
    let is = |value: &Value| value.as_str() == Some(of);
    let own =
        schema.get("type").is_some_and(|types| is(types) || types.as_array().is_some_and(|types| types.iter().any(is)));
    own || schema.get("oneOf").and_then(Value::as_array).is_some_and(|parts| parts.iter().any(|part| allows(part, of)))
}

/// Reads a value as its key has it. The error is a sentence after the key.
fn read(key: &Key, text: &str) -> Result<Value, String> {
    match &key.content {
        Content::Name => named_text(text),
        Content::Secret => secret(&notation(text).unwrap_or_else(|| Value::from(text)), text),
        Content::Table { keys, is_optional, .. } => match notation(text) {
            _ if text.is_empty() && *is_optional => Ok(Value::Null),
            _ if text.is_empty() => Ok(Value::Object(defaults(keys))),
            Some(Value::Object(fields)) => with_secrets(keys, fields),
            _ => Err(format!(
                "must be a table, as in {0}='{{ … }}', or be set key by key, as in {0}.{1}=…",
                key.name,
                first(keys)
            )),
        },
        Content::Value { schema, .. } if text.is_empty() && allows(schema, "null") => Ok(Value::Null),
        Content::Value { default, .. } if text.is_empty() => Ok(default.clone()),
        Content::Value { schema, .. } => value(schema, text),
    }
}

fn value(schema: &Value, text: &str) -> Result<Value, String> {
    if allows(schema, "array") {
        return if text.trim_start().starts_with('[') {
            notation(text).ok_or_else(|| "must be a list, as in a,b or [\"a\", \"b\"].".to_owned())
        } else {
            Ok(text.split(',').map(|item| Value::from(item.trim())).collect())
        };
    }
    if allows(schema, "object") {
        return notation(text).ok_or_else(|| "must be a table, as in { a = 1 } or {\"a\": 1}.".to_owned());
    }
    match text.parse::<i64>() {
        Ok(number) if allows(schema, "integer") => return Ok(Value::from(number)),
        _ => {}
    }
    match text.parse::<bool>() {
        Ok(flag) if allows(schema, "boolean") => Ok(Value::Bool(flag)),
        _ if allows(schema, "string") => named_text(text),
        // The form says what is expected.
        _ => Ok(Value::from(text)),
    }
}

/// A value of which nothing is known: as the file or JSON has it, else a text.
fn free(text: &str) -> Result<Value, String> {
    match notation(text) {
        Some(value) => Ok(value),
        None if text.trim_start().starts_with(['[', '{', '"']) => Err("is neither TOML nor JSON.".to_owned()),
        None => Ok(Value::from(text)),
    }
}

/// A value as the file or JSON writes it.
fn notation(text: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    let mut file = File::parse(&format!("value = {text}"));
    let is_one = file.problems.is_empty() && file.root.len() == 1;
    file.root.remove("value").filter(|_| is_one)
}

/// A text, or the one that `{ env = … }` or `{ file = … }` names.
fn named_text(text: &str) -> Result<Value, String> {
    let Some(Value::Object(reference)) = notation(text) else { return Ok(Value::from(text)) };
    named(&reference, Path::new("."), LARGEST_TEXT).unwrap_or_else(|| Ok(text.to_owned())).map(Value::String)
}

/// A secret in clear. What looks like a table and names nothing is a mistake rather than a password.
fn secret(value: &Value, text: &str) -> Result<Value, String> {
    let is_table = text.trim_start().starts_with('{');
    let value = if is_table { value.clone() } else { Value::from(text) };
    if is_table && !value.is_object() {
        return Err(
            "must be { env = \"VARIABLE\" }, { file = \"PATH\" } or the secret itself; one that begins with { has to be named.".to_owned()
        );
    }
    given_or_named(&value, Path::new(".")).map(|secret| Value::from(secret.reveal()))
}

/// A table's fields with the secrets that they name.
fn with_secrets(keys: &[Key], mut fields: Map<String, Value>) -> Result<Value, String> {
    for key in keys.iter().filter(|key| key.content == Content::Secret) {
        if let Some(value) = fields.get_mut(key.name) {
            let secret = given_or_named(value, Path::new("."))
                .map_err(|sentence| format!("has a mistake at {}: {sentence}", key.name))?;
            *value = Value::from(secret.reveal());
        }
    }
    Ok(Value::Object(fields))
}

fn defaults(keys: &[Key]) -> Object {
    let default = |key: &Key| match &key.content {
        Content::Value { default, .. } => Some((key.name.to_owned(), default.clone())),
        _ => None,
    };
    keys.iter().filter_map(default).collect()
}

fn first(keys: &[Key]) -> &str {
    keys.first().map_or("", |key| key.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::keys::keys;
    use postigo_model::configured::{Account, Filter, Template};
    use serde_json::json;

    fn given(keys: &[Key], words: &[&str]) -> Given {
        let words: Vec<KeyValue> = words.iter().map(|word| word.parse().unwrap()).collect();
        let there = json!({ "settings": { "kept": 1, "deep": { "kept": 2 } } });
        Changes::read(keys, &words).onto(there.as_object().unwrap(), "name", "main")
    }

    fn fields(keys: &[Key], words: &[&str]) -> Value {
        let Given { mut fields, problems } = given(keys, words);
        assert_eq!(problems, []);
        fields.shift_remove("name");
        Value::Object(fields)
    }

    fn told(keys: &[Key], words: &[&str]) -> Vec<String> {
        given(keys, words)
            .problems
            .into_iter()
            .map(|problem| format!("{} {}", problem.pointer, problem.sentence))
            .collect()
    }

    #[test]
    fn values_are_what_their_keys_have() {
        let keys = keys::<Account>();
        for (word, expected) in [
            ("port=993", json!({ "port": 993 })),
            ("user=993", json!({ "user": "993" })),
            ("user=true", json!({ "user": "true" })),
            ("user=a=b", json!({ "user": "a=b" })),
            ("comment=[a], {b}", json!({ "comment": "[a], {b}" })),
            ("trusted=true", json!({ "trusted": true })),
            ("valid=false", json!({ "valid": false })),
            ("valid=temporarily-invalid", json!({ "valid": "temporarily-invalid" })),
            ("interval=10m", json!({ "interval": "10m" })),
            ("tls.verify=false", json!({ "tls": { "verify": false } })),
            ("tls={ verify = false }", json!({ "tls": { "verify": false } })),
            ("tls={\"verify\": false}", json!({ "tls": { "verify": false } })),
            ("networks=::1, 10.0.0.0/8", json!({ "networks": ["::1", "10.0.0.0/8"] })),
            ("networks=[\"::1\"]", json!({ "networks": ["::1"] })),
            ("networks=[]", json!({ "networks": [] })),
        ] {
            assert_eq!(fields(&keys, &[word]), expected, "{word}");
        }
        let words = ["networks=::1", "networks=10.0.0.1", "tls.verify=false", "tls.ca=/ca.pem"];
        let expected = json!({ "networks": ["::1", "10.0.0.1"], "tls": { "verify": false, "ca": "/ca.pem" } });
        assert_eq!(fields(&keys, &words), expected);
    }

    #[test]
    fn an_empty_value_is_the_default() {
        let keys = keys::<Account>();
        for (word, expected) in [
            ("comment=", json!({ "comment": "" })),
            ("folder=", json!({ "folder": "INBOX" })),
            ("port=", json!({ "port": null })),
            ("idle=", json!({ "idle": true })),
            ("networks=", json!({ "networks": ["127.0.0.0/8", "::1"] })),
            ("oauth2=", json!({ "oauth2": null })),
            ("password=", json!({ "password": "" })),
        ] {
            assert_eq!(fields(&keys, &[word]), expected, "{word}");
        }
        assert_eq!(fields(&keys, &["tls="])["tls"]["verify"], json!(true));
    }

    #[test]
    fn texts_and_secrets_are_named_by_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "two\nlines\n").unwrap();
        let reference = format!("{{ file = {:?} }}", file.path());
        let (template, account) = (keys::<Template>(), keys::<Account>());
        assert_eq!(
            fields(&template, &[&format!("body={reference}")]),
            json!({ "body": "two\nlines\n" }),
            "a text is taken whole"
        );
        assert_eq!(
            fields(&account, &[&format!("password={reference}")]),
            json!({ "password": "two\nlines" }),
            "as in the file"
        );
        let words = format!("oauth2={{ client_secret = {reference} }}");
        assert_eq!(fields(&account, &[&words]), json!({ "oauth2": { "client_secret": "two\nlines" } }));
        assert_eq!(fields(&account, &["password=12"]), json!({ "password": "12" }));
        for wrong in ["{ file = \"/nowhere/at all\" }", "{ env = \"POSTIGO_IS_NOT_SET\" }", "{ env = HOME }", "{hidden"]
        {
            let told = told(&account, &[&format!("password={wrong}")]);
            assert!(told.len() == 1 && told[0].starts_with("/password ") && !told[0].contains("hidden"), "{told:?}");
        }
    }

    #[test]
    fn settings_of_a_filter_are_set_one_by_one_and_the_others_stay() {
        let keys = keys::<Filter>();
        let words = ["settings.text=hello", "settings.number=5", "settings.list=[1, 2]", "settings.deep.more=\"5\""];
        let expected =
            json!({ "kept": 1, "deep": { "kept": 2, "more": "5" }, "text": "hello", "number": 5, "list": [1, 2] });
        assert_eq!(fields(&keys, &words)["settings"], expected);
        assert_eq!(
            fields(&keys, &["settings={ a = 1 }"])["settings"],
            json!({ "a": 1 }),
            "as a whole they are replaced"
        );
        assert_eq!(fields(&keys, &["grants=body,raw"]), json!({ "grants": ["body", "raw"] }));
        assert_eq!(fields(&keys, &["grants="]), json!({ "grants": null }));
    }

    #[test]
    fn every_mistake_is_told_with_its_key() {
        let keys = keys::<Account>();
        let told = told(&keys, &["networks=[::1", "tls=yes", "user=a", "user=b", "name=other"]);
        assert_eq!(told.len(), 4, "{told:#?}");
        for (told, key) in told.iter().zip(["/networks ", "/tls ", "/user is given twice", "/name must be \"main\""]) {
            assert!(told.starts_with(key), "{told}");
        }
        for wrong in ["verify", "=a", "tls.=a", ".verify=a"] {
            assert!(wrong.parse::<KeyValue>().is_err(), "{wrong}");
        }
    }
}
