//! `KEY=VALUE`: keys as the configuration file has them, with values as a shell's user writes them.
//!
//! What a value means follows from its key: a text is taken as it stands, `true` is a flag where flags are, `a,b` a
//! list where lists are. Lists and tables may also be written as in the file (TOML) or as JSON. A secret may be named:
//! `{ env = "VARIABLE" }`, `{ file = "PATH" }`, so that no history of a shell keeps a password. A text never names
//! anything, whatever it says, since scripts hand on texts of strangers: a file's text is given by an option of its
//! own, `--file KEY=PATH`. An empty value is the key's default.

use crate::config::{ConfigurationFile, given_or_named, named};
use crate::service::configured::{GivenKeys, Object, is_same};
use postigo_model::configured::form::{ConfigurationMistake, below};
use postigo_model::configured::keys::{ConfigurationKey, KeyContent};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::str::FromStr;

/// The text of a file may have so many bytes.
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
        // A quoted step may have an equals sign in it.
        let read = |(end, _)| {
            let (key, value) = text.split_at_checked(end)?;
            let steps = toml_edit::Key::parse(key).ok()?;
            let path = steps.iter().map(|step| step.get().to_owned()).collect();
            Some(Self { path, value: value.get(1..)?.to_owned() })
        };
        text.match_indices('=').find_map(read).ok_or_else(|| {
            "write KEY=VALUE, as in comment=\"for the summer\" or tls.verify=false; a step of the key with dots, spaces or \
             letters beyond a-z stands in double quotes: settings.\"a.b\"=1"
                .to_owned()
        })
    }
}

/// What is to be set, read by the keys that there are.
#[derive(Debug, Default)]
pub struct Changes {
    /// None: it is taken away.
    values: Vec<(Vec<String>, Option<Value>)>,
    problems: Vec<ConfigurationMistake>,
}

impl Changes {
    /// Reads what was given for the keys of a kind, values and `files` with texts; files and variables are read now.
    pub fn read(keys: &[ConfigurationKey], given: &[KeyValue], files: &[KeyValue]) -> Self {
        let mut changes = Self::default();
        for KeyValue { path, value } in given {
            let read = match find(keys, path) {
                KeyMatch::Key(key) => read(key, value).map(Some),
                KeyMatch::Inside if value.is_empty() => Ok(None),
                KeyMatch::Inside => free(value).map(Some),
                // The form says which keys there are.
                KeyMatch::Nothing => Ok(Some(Value::String(value.clone()))),
            };
            changes.take(path, read);
        }
        let mut is_input_read = false;
        for KeyValue { path, value: file } in files {
            let read = if file == "-" && std::mem::replace(&mut is_input_read, true) {
                Err("cannot be read: standard input is another key's; name a file.".to_owned())
            } else {
                text_of(&find(keys, path), file)
            };
            changes.take(path, read.map(Some));
        }
        changes
    }

    fn take(&mut self, path: &[String], read: Result<Option<Value>, String>) {
        match read {
            Ok(value) => self.add(path.to_vec(), value),
            Err(sentence) => self.problem(path, sentence),
        }
    }

    /// Sets a key, where there is a value for it.
    #[must_use]
    pub fn key(mut self, key: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.add(vec![key.to_owned()], Some(value.into()));
        }
        self
    }

    /// Adds a value; lists grow, everything else is given once, and not beside what it lies in.
    fn add(&mut self, path: Vec<String>, value: Option<Value>) {
        let overlaps = |earlier: &[String]| earlier.starts_with(&path) || path.starts_with(earlier);
        match (self.values.iter_mut().find(|(earlier, _)| overlaps(earlier)), value) {
            (None, value) => self.values.push((path, value)),
            (Some((earlier, Some(Value::Array(items)))), Some(Value::Array(more))) if *earlier == path => {
                items.extend(more);
            }
            (Some((earlier, _)), _) if *earlier == path => {
                self.problem(&path, "is given twice; give it once.".to_owned());
            }
            (Some((earlier, _)), _) => {
                let (whole, inner) = if path.len() < earlier.len() { (&path, &*earlier) } else { (&*earlier, &path) };
                let sentence = format!("stands beside {} as a whole; give one of them.", whole.join("."));
                let inner = inner.clone();
                self.problem(&inner, sentence);
            }
        }
    }

    fn problem(&mut self, path: &[String], sentence: String) {
        let pointer = path.iter().fold(String::new(), |pointer, step| below(&pointer, step));
        self.problems.push(ConfigurationMistake { pointer, sentence });
    }

    /// As the form of a thing takes it that is `there`: a table of free content, such as a filter's settings, keeps
    /// what is not set. The thing keeps its `name`, which stands under the key `name_key`.
    pub fn onto(&self, there: &Object, name_key: &str, name: &str) -> GivenKeys {
        let (mut fields, mut problems) = (Object::new(), self.problems.clone());
        for (path, value) in &self.values {
            if let Err(table) = set(&mut fields, there, path, value.as_ref()) {
                let sentence =
                    format!("cannot be set, since {} is no table.", path.get(..table).unwrap_or(path).join("."));
                let pointer = path.iter().fold(String::new(), |pointer, step| below(&pointer, step));
                problems.push(ConfigurationMistake { pointer, sentence });
            }
        }
        let given = fields.insert(name_key.to_owned(), Value::String(name.to_owned()));
        let is_same = |given: &Value| given.as_str().is_some_and(|given| is_same(name_key, given, name));
        if given.is_some_and(|given| !is_same(&given)) {
            let sentence = format!("must be \"{name}\", as the command names it: nothing is renamed.");
            problems.push(ConfigurationMistake { pointer: below("", name_key), sentence });
        }
        GivenKeys { fields, problems }
    }
}

/// Sets a value at its place, or takes away what is there. The error: so many of the path's steps lead to what is no
/// table, and would have to be one.
fn set(fields: &mut Object, there: &Object, path: &[String], value: Option<&Value>) -> Result<(), usize> {
    let Some((key, rest)) = path.split_first() else { return Ok(()) };
    if rest.is_empty() {
        match value {
            Some(value) => drop(fields.insert(key.clone(), value.clone())),
            None => drop(fields.shift_remove(key)),
        }
        return Ok(());
    }
    let there = there.get(key).and_then(Value::as_object);
    if value.is_none() && there.is_none() && !fields.contains_key(key) {
        return Ok(());
    }
    let inner = fields.entry(key.as_str()).or_insert_with(|| Value::Object(there.cloned().unwrap_or_default()));
    // What was there is in it already.
    let inner = inner.as_object_mut().ok_or(1_usize)?;
    set(inner, &Object::new(), rest, value).map_err(|steps| steps + 1)
}

enum KeyMatch<'k> {
    Key(&'k ConfigurationKey),
    /// Below a key whose content its keys do not tell.
    Inside,
    Nothing,
}

fn find<'k>(keys: &'k [ConfigurationKey], path: &[String]) -> KeyMatch<'k> {
    let Some((step, rest)) = path.split_first() else { return KeyMatch::Nothing };
    let Some(key) = keys.iter().find(|key| key.name == step) else { return KeyMatch::Nothing };
    match &key.content {
        _ if rest.is_empty() => KeyMatch::Key(key),
        KeyContent::Table { keys, .. } => find(keys, rest),
        KeyContent::Value { schema, .. } if allows(schema, "object") => KeyMatch::Inside,
        _ => KeyMatch::Nothing,
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
fn read(key: &ConfigurationKey, text: &str) -> Result<Value, String> {
    match &key.content {
        KeyContent::Name => Ok(Value::from(text)),
        KeyContent::Secret => secret(&notation(text).unwrap_or_else(|| Value::from(text)), text),
        KeyContent::Table { keys, is_optional, .. } => match notation(text) {
            _ if text.is_empty() && *is_optional => Ok(Value::Null),
            _ if text.is_empty() => Ok(Value::Object(defaults(keys))),
            Some(Value::Object(fields)) => with_secrets(keys, fields),
            _ => Err(format!(
                "must be a table, as in {0}='{{ … }}', or be set key by key, as in {0}.{1}=…",
                key.name,
                first(keys)
            )),
        },
        KeyContent::Tables { .. } if text.is_empty() => Ok(Value::Array(Vec::new())),
        KeyContent::Tables { keys, .. } => match notation(text) {
            Some(Value::Array(tables)) => Ok(Value::Array(tables)),
            _ => Err(format!("must be a list of tables, as in {}='[{{ {} = … }}]'.", key.name, first(keys))),
        },
        KeyContent::Value { schema, .. } if text.is_empty() && allows(schema, "null") => Ok(Value::Null),
        KeyContent::Value { default, .. } if text.is_empty() => Ok(default.clone()),
        KeyContent::Value { schema, .. } => value(schema, text),
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
        // Of what is no text the form says what is expected.
        _ => Ok(Value::from(text)),
    }
}

/// A value of which nothing is known: JSON, or as the file has lists, tables and texts in quotes; else a text.
fn free(text: &str) -> Result<Value, String> {
    if !text.trim_start().starts_with(['[', '{', '"']) {
        return Ok(serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)));
    }
    notation(text).ok_or_else(|| "is neither TOML nor JSON.".to_owned())
}

/// A value as the file or JSON writes it.
fn notation(text: &str) -> Option<Value> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    let mut file = ConfigurationFile::parse(&format!("value = {text}"));
    let is_one = file.problems.is_empty() && file.root.len() == 1;
    file.root.remove("value").filter(|_| is_one)
}

/// The text of a file, `-`: of standard input, for a key; of a secret without the last line break. The error is a
/// sentence after the key.
fn text_of(found: &KeyMatch<'_>, file: &str) -> Result<Value, String> {
    let reference = json!({ "file": file });
    match found {
        KeyMatch::Key(ConfigurationKey { content: KeyContent::Secret, .. }) => {
            given_or_named(&reference, Path::new(".")).map(|secret| Value::from(secret.reveal()))
        }
        KeyMatch::Key(ConfigurationKey { content: KeyContent::Value { schema, .. }, .. })
            if !allows(schema, "string") =>
        {
            Err("is no text: write it as KEY=VALUE.".to_owned())
        }
        KeyMatch::Key(ConfigurationKey { content: KeyContent::Table { .. }, .. }) => {
            Err("is a table: set it key by key.".to_owned())
        }
        KeyMatch::Key(ConfigurationKey { content: KeyContent::Tables { .. }, .. }) => {
            Err("is a list of tables: write it as KEY=VALUE.".to_owned())
        }
        KeyMatch::Key(_) | KeyMatch::Inside | KeyMatch::Nothing => reference
            .as_object()
            .and_then(|reference| named(reference, Path::new("."), LARGEST_TEXT))
            .unwrap_or_else(|| Err("cannot be read.".to_owned()))
            .map(Value::String),
    }
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
fn with_secrets(keys: &[ConfigurationKey], mut fields: Map<String, Value>) -> Result<Value, String> {
    for key in keys.iter().filter(|key| key.content == KeyContent::Secret) {
        if let Some(value) = fields.get_mut(key.name) {
            let secret = given_or_named(value, Path::new("."))
                .map_err(|sentence| format!("has a mistake at {}: {sentence}", key.name))?;
            *value = Value::from(secret.reveal());
        }
    }
    Ok(Value::Object(fields))
}

fn defaults(keys: &[ConfigurationKey]) -> Object {
    let default = |key: &ConfigurationKey| match &key.content {
        KeyContent::Value { default, .. } => Some((key.name.to_owned(), default.clone())),
        _ => None,
    };
    keys.iter().filter_map(default).collect()
}

fn first(keys: &[ConfigurationKey]) -> &str {
    keys.first().map_or("", |key| key.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::keys::keys;
    use postigo_model::configured::{Account, Filter, Template};
    use serde_json::json;

    /// Words are values, and behind `--file` files.
    fn given(keys: &[ConfigurationKey], words: &[&str]) -> GivenKeys {
        let (values, files): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| !word.starts_with("--file "));
        let parsed = |words: &[&str]| -> Vec<KeyValue> {
            words.iter().map(|word| word.strip_prefix("--file ").unwrap_or(word).parse().unwrap()).collect()
        };
        let there = json!({ "settings": { "kept": 1, "deep": { "kept": 2 } } });
        Changes::read(keys, &parsed(&values), &parsed(&files)).onto(there.as_object().unwrap(), "name", "main")
    }

    fn fields(keys: &[ConfigurationKey], words: &[&str]) -> Value {
        let GivenKeys { mut fields, problems } = given(keys, words);
        assert_eq!(problems, []);
        fields.shift_remove("name");
        Value::Object(fields)
    }

    fn told(keys: &[ConfigurationKey], words: &[&str]) -> Vec<String> {
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
    fn a_text_is_taken_as_it_stands_whatever_it_says() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "the key").unwrap();
        for text in [
            format!("{{ file = {:?} }}", file.path()),
            format!("{{\"file\": {:?}}}", file.path()),
            "{ env = \"PATH\" }".to_owned(),
            format!("@{}", file.path().display()),
            "-".to_owned(),
        ] {
            let (template, account, filter) = (keys::<Template>(), keys::<Account>(), keys::<Filter>());
            assert_eq!(fields(&template, &[&format!("body={text}")]), json!({ "body": text }));
            assert_eq!(fields(&account, &[&format!("comment={text}")]), json!({ "comment": text }));
            assert_eq!(fields(&template, &[&format!("queues=[{text:?}]")]), json!({ "queues": [text] }));
            let settings = fields(&filter, &[&format!("settings.text={text}")]).to_string();
            assert!(!settings.contains("the key"), "{settings}");
            assert_eq!(
                given(&account, &[&format!("name={text}")]).problems.len(),
                1,
                "another name than the command's"
            );
        }
    }

    #[test]
    fn texts_and_secrets_are_read_from_files() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "two\nlines\n").unwrap();
        let reference = format!("{{ file = {:?} }}", file.path());
        let from = |key: &str| format!("--file {key}={}", file.path().display());
        let (template, account, filter) = (keys::<Template>(), keys::<Account>(), keys::<Filter>());
        assert_eq!(fields(&template, &[&from("body")]), json!({ "body": "two\nlines\n" }), "a text is taken whole");
        assert_eq!(fields(&filter, &[&from("settings.text")])["settings"]["text"], "two\nlines\n");
        for word in [format!("password={reference}"), from("password")] {
            assert_eq!(fields(&account, &[&word]), json!({ "password": "two\nlines" }), "a secret is one line");
        }
        let twice =
            told(&account, &["--file comment=/nowhere/at all", &from("port"), &from("tls"), "user=a", &from("user")]);
        let expected = [
            "/comment the file /nowhere/at all cannot be read",
            "/port is no text",
            "/tls is a table",
            "/user is given twice",
        ];
        assert!(
            twice.len() == 4 && twice.iter().zip(expected).all(|(told, begin)| told.starts_with(begin)),
            "{twice:#?}"
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
        for (word, expected) in [
            ("a=2026-01-01", json!("2026-01-01")),
            ("a=0x10", json!("0x10")),
            ("a=1_000", json!("1_000")),
            ("a='x'", json!("'x'")),
            ("a=-1.5e3", json!(-1.5e3)),
            ("a=true", json!(true)),
            ("a={ b = 0x10 }", json!({ "b": 16 })),
            ("a=\"5\"", json!("5")),
        ] {
            assert_eq!(fields(&keys, &[&format!("settings.{word}")])["settings"]["a"], expected, "{word}");
        }
        let words = ["settings.\"a.b\".\"c=d\"=1", "settings.'e f'=g=h"];
        let expected = json!({ "kept": 1, "deep": { "kept": 2 }, "a.b": { "c=d": 1 }, "e f": "g=h" });
        assert_eq!(fields(&keys, &words)["settings"], expected);
        let words = ["settings.kept=", "settings.deep.kept=", "settings.none.kept="];
        assert_eq!(fields(&keys, &words)["settings"], json!({ "deep": {} }));
        assert_eq!(fields(&keys, &["grants=body,raw"]), json!({ "grants": ["body", "raw"] }));
        assert_eq!(fields(&keys, &["grants="]), json!({ "grants": null }));
    }

    #[test]
    fn what_lies_in_another_is_not_given_beside_it_in_whatever_order() {
        let (account, filter) = (keys::<Account>(), keys::<Filter>());
        for (keys, whole, inner, pointer) in [
            (&account, "tls={ verify = false }", "tls.ca=/ca.pem", "/tls/ca"),
            (&account, "tls=", "tls.verify=false", "/tls/verify"),
            (&filter, "settings={ a = 1 }", "settings.a=2", "/settings/a"),
            (&filter, "settings.a={}", "settings.a.b=2", "/settings/a/b"),
        ] {
            let whole_key = whole.split('=').next().unwrap();
            let expected = [format!("{pointer} stands beside {whole_key} as a whole; give one of them.")];
            assert_eq!(told(keys, &[whole, inner]), expected);
            assert_eq!(told(keys, &[inner, whole]), expected);
        }
        let expected = ["/settings/kept/a cannot be set, since settings.kept is no table."];
        assert_eq!(told(&filter, &["settings.kept.a=1"]), expected);
        assert_eq!(told(&filter, &["settings.a=1", "settings.a="]), ["/settings/a is given twice; give it once."]);
    }

    #[test]
    fn every_mistake_is_told_with_its_key() {
        let keys = keys::<Account>();
        let told = told(&keys, &["networks=[::1", "tls=yes", "user=a", "user=b", "name=other"]);
        assert_eq!(told.len(), 4, "{told:#?}");
        for (told, key) in told.iter().zip(["/networks ", "/tls ", "/user is given twice", "/name must be \"main\""]) {
            assert!(told.starts_with(key), "{told}");
        }
        for wrong in ["verify", "=a", "tls.=a", ".verify=a", "settings.\"a=1"] {
            assert!(wrong.parse::<KeyValue>().is_err(), "{wrong}");
        }
    }
}
