//! What is told of keys is true: their help, and that schemas and reading agree.

use super::{ConfigurationKey, KeyContent, SchemaShape, keys, schema};
use crate::configured::form::{ConfiguredKind, HasKeys, LoadedKind, in_clear, read, read_fields, write};
use crate::configured::{Account, Filter, KindVisitor, OAuth2, Settings, Transport, visit_kinds};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn check_help(kind: &str, keys: &[ConfigurationKey], checked: &mut usize) {
    for key in keys {
        *checked += 1;
        let ConfigurationKey { name, help, content } = key;
        assert!(
            help.ends_with('.') && help.len() > 5 && !help.contains('\n') && !help.contains("  "),
            "{kind}.{name}: {help:?}"
        );
        if let KeyContent::Table { keys, .. } | KeyContent::Tables { keys, .. } = content {
            check_help(kind, keys, checked);
        }
    }
}

/// The values that a key is tried with, of every type and form.
fn samples() -> Vec<Value> {
    let texts = [
        "",
        " ",
        "a",
        "0",
        "5",
        "-1",
        "10m",
        "10 m",
        "1s",
        "0s",
        "250ms",
        "1500ms",
        "2000ms",
        "61s",
        "1d",
        "1M",
        "1.5h",
        "32 MiB",
        "0 B",
        "1 mb",
        "17",
        "true",
        "possible",
        "new-ticket",
        "imaps",
        "smtp+starttls",
        "answer",
        "reply",
        "hold",
        "growing",
        "temporarily-invalid",
        "shadow",
        "to",
        "to ",
        "queue:",
        "queue:A",
        "move:",
        "move:B",
        "delete",
        "99999999999999999999d",
        "18446744073709551615 GiB",
        "a\u{1}b",
        "body",
    ];
    let others = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(65_535),
        json!(65_536),
        json!(1.5),
        json!([]),
        json!(["a"]),
        json!(["a", "a"]),
        json!([""]),
        json!([1]),
        json!(["bounce", "bounce"]),
        json!(["raw"]),
        json!({}),
        json!({ "a": 1 }),
        json!({ "verify": 1 }),
        json!({ "verify": true }),
        json!({ "time": "0" }),
        json!({ "colour": "red" }),
        json!({ "failed": "1d" }),
        json!([{}]),
        json!([{ "question": "a", "header": "b" }]),
        json!([{ "question": "a", "header": "b", "threshold": 0.5, "values": { "c": "d" } }]),
        json!([{ "question": "a", "header": "b", "threshold": 1.5 }]),
        json!([{ "question": "a", "header": "b", "threshold": { "default": 0, "c": 1 } }]),
        json!([{ "question": "a", "header": "b", "threshold": { "default": "much" } }]),
        json!([{ "question": "a", "header": "b", "values": { "c": 1 } }]),
        json!([{ "question": "a", "header": "b", "colour": "red" }]),
        json!("x".repeat(200)),
        json!("x".repeat(201)),
    ];
    texts.into_iter().map(Value::from).chain(others).collect()
}

/// The keys whose schemas leave out something that is read: clients are told the one way to write it, or what the rules
/// take.
const STRICTER: [(&str, &str); 7] = [
    // Durations of no time and sizes in bytes may be bare numbers; schemas have texts with a unit.
    ("settings", "auto_responses_max_age"),
    ("settings", "max_component_size"),
    ("settings", "max_message_size"),
    ("settings", "raw_retention"),
    ("settings", "spool_retention"),
    ("settings", "job_retention"),
    // A rule asks for one at least.
    ("transport", "connections"),
];

/// A schema takes what is read, and nothing else, but for what is listed.
fn agree<D: HasKeys>(kind: &str, start: &D, given: impl Fn(&D, &Value) -> Vec<String>) {
    let keys = keys::<D>();
    assert!(
        !has_default(&schema(kind, "A thing.", &keys, SchemaShape::Change)),
        "{kind}: what a change leaves out stays"
    );
    let validator = |shape| jsonschema::draft202012::new(&schema(kind, "A thing.", &keys, shape)).unwrap();
    let (shown, change) = (validator(SchemaShape::Shown), validator(SchemaShape::Change));
    let written = Value::Object(write(start));
    let errors: Vec<String> =
        shown.iter_errors(&written).map(|error| format!("{}: {error}", error.instance_path)).collect();
    assert_eq!(errors, Vec::<String>::new(), "{kind}: {written:#}");
    let mut stricter = BTreeSet::new();
    for name in keys.iter().map(|key| key.name).chain(["colour"]) {
        for sample in samples() {
            let object = json!({ name: sample });
            let problems = given(start, &object);
            assert!(
                problems.is_empty() || !change.is_valid(&object),
                "{kind}: {object} is refused ({problems:?}), and its schema takes it"
            );
            if problems.is_empty() && !change.is_valid(&object) {
                stricter.insert(name);
            }
        }
    }
    let known: BTreeSet<&str> = STRICTER.iter().filter(|(of, _)| *of == kind).map(|(_, key)| *key).collect();
    assert_eq!(stricter, known, "{kind}: what is read, and its schema does not take");
}

/// Whether a schema says anywhere what is there where nothing is given. A table of a list is given whole.
fn has_default(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            fields.iter().any(|(key, value)| key == "default" || (key != "items" && has_default(value)))
        }
        Value::Array(items) => items.iter().any(has_default),
        _ => false,
    }
}

/// What is wrong with a change of a thing.
fn problems<D: HasKeys>(thing: &D, object: &Value) -> Vec<String> {
    let mut thing = thing.clone();
    read_fields(&mut thing, object.as_object().unwrap(), "", &in_clear)
        .into_iter()
        .map(|problem| problem.sentence)
        .collect()
}

struct Checking(usize);

impl KindVisitor for Checking {
    fn loaded<K: LoadedKind>(&mut self) {
        self.looked_up::<K>();
    }

    fn looked_up<K: ConfiguredKind>(&mut self) {
        check_help(K::KIND, &keys::<K>(), &mut self.0);
        // With a name in every key that must have one.
        let named = keys::<K>()
            .into_iter()
            .filter(|key| key.content == KeyContent::Name)
            .map(|key| (key.name.to_owned(), json!("a")));
        let (thing, wrong) = read(K::default(), &Value::Object(named.collect()), "", &in_clear);
        assert_eq!(wrong, []);
        agree(K::KIND, &thing, problems);
        for heading in [K::ABOUT.heading, K::ABOUT.sentence] {
            assert!(!heading.is_empty());
        }
        let has = |key: &str| keys::<K>().iter().any(|known| known.name == key);
        assert!(K::ABOUT.columns.iter().all(|(_, key)| has(key)) && has(K::NAME), "{}", K::KIND);
    }
}

#[test]
fn every_key_has_a_help_and_a_schema_that_agrees_with_reading_and_writing() {
    let mut checking = Checking(0);
    check_help("settings", &keys::<Settings>(), &mut checking.0);
    agree("settings", &Settings::default(), problems);
    visit_kinds(&mut checking);
    assert!(checking.0 > 100, "{} keys", checking.0);
}

#[test]
fn a_schema_takes_what_a_file_may_give() {
    let takes = |keys: &[ConfigurationKey], shape, object: Value| {
        let validator = jsonschema::draft202012::new(&schema("Thing", "A thing.", keys, shape)).unwrap();
        let errors: Vec<String> = validator.iter_errors(&object).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{object}");
    };
    let account = json!({
        "name": "main", "protocol": "imap+starttls", "host": "mail.example.org", "port": null, "password": "x", "dispatch": "queue:A", "interval": "90s",
        "oauth2": { "provider": "google", "client_secret": "y", "refresh_token_age": "0" }, "tls": { "verify": false }, "valid": "temporarily-invalid"
    });
    takes(&keys::<Account>(), SchemaShape::Given, account);
    takes(&keys::<Account>(), SchemaShape::Change, json!({ "oauth2": null }));
    takes(
        &keys::<Transport>(),
        SchemaShape::Given,
        json!({ "name": "way", "kind": "file", "for": ["a@b", "Q"], "connections": 1 }),
    );
    let limits = json!({ "time": "1m", "memory": "64 KiB" });
    takes(
        &keys::<Filter>(),
        SchemaShape::Given,
        json!({ "name": "f", "component": "c", "grants": ["body"], "limits": limits, "settings": { "a": [1] } }),
    );
    takes(
        &keys::<Settings>(),
        SchemaShape::Change,
        json!({ "follow_up_checks": ["raw", "raw"], "log_retention": { "failed": "1d" } }),
    );
}

#[test]
fn a_table_that_may_be_missing_is_made_changed_and_taken_away() {
    let account = Account { oauth2: None, ..Account::default() };
    let change = |account: Account, object: Value| read(account, &object, "", &in_clear).0;
    let made = change(account, json!({ "name": "a", "oauth2": { "tenant": "t" } }));
    assert_eq!(made.oauth2.as_ref().map(|oauth2| oauth2.tenant.as_str()), Some("t"));
    let changed = change(made, json!({ "oauth2": { "client_id": "c" } }));
    let expected = OAuth2 { tenant: "t".into(), client_id: "c".into(), ..OAuth2::default() };
    assert_eq!(changed.oauth2, Some(expected));
    assert_eq!(change(changed, json!({ "oauth2": null })).oauth2, None);
}
