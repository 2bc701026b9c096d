//! What differs between two forms of a thing, key by key: `limits.time` stands for a key of a table inside, a list is one
//! value.
//!
//! What is told is bounded, for names are repeated: each key of a table has the table's name in front. A table in which
//! many keys differ, or in which one has a long name, is told of as one value.

use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::LazyLock;
use utoipa::ToSchema;

/// Tables lie so deep in each other at most; what lies deeper counts as one value.
const DEPTH: usize = 16;
/// So many keys of a table, with those of tables inside, are told of one by one at most.
const MOST_KEYS: usize = 100;
/// A key of a table has so many bytes at most, with the tables that it lies in, where it is told of.
const LONGEST_KEY: usize = 200;

/// A key that has another value than before.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct KeyDifference {
    /// The key: `comment`, `limits.time`; that of the table where many keys in it differ, or one has a long name.
    pub key: String,
    /// What it had; null where it was not there.
    pub before: Value,
    /// What it has; null where it is not there.
    pub after: Value,
}

/// A difference whose values still lie where they are.
struct Found<'v> {
    key: String,
    before: Option<&'v Value>,
    after: Option<&'v Value>,
}

/// The keys that differ, in the order in which they stand in the later form; those that are gone come last.
pub fn key_differences(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<KeyDifference> {
    let mut told = Vec::new();
    for (name, before, after) in differing(before, after) {
        match inside(name, before, after, DEPTH) {
            Some(deeper) => told.extend(deeper),
            None => told.push(Found { key: beginning(name), before, after }),
        }
    }
    let told = told.into_iter().map(|Found { key, before, after }| KeyDifference {
        key,
        before: before.cloned().unwrap_or_default(),
        after: after.cloned().unwrap_or_default(),
    });
    told.collect()
}

/// A name as it is told: of a long one its beginning.
fn beginning(name: &str) -> String {
    let mark = if name.len() > LONGEST_KEY { "…" } else { "" };
    format!("{}{mark}", crate::text::beginning(name, LONGEST_KEY))
}

/// The keys of two tables that have different values, with these.
fn differing<'v>(
    before: &'v Map<String, Value>,
    after: &'v Map<String, Value>,
) -> impl Iterator<Item = (&'v str, Option<&'v Value>, Option<&'v Value>)> {
    let mut seen = BTreeSet::new();
    let keys = after.keys().chain(before.keys()).map(String::as_str).filter(move |key| seen.insert(*key));
    // What is null is not there.
    let value = |table: &'v Map<String, Value>, key: &str| table.get(key).filter(|value| !value.is_null());
    let pairs = keys.map(move |key| (key, value(before, key), value(after, key)));
    pairs.filter(|(_, before, after)| before != after)
}

/// What differs inside of a table, key by key; none where it is to be told of as one value.
fn inside<'v>(
    table: &str,
    before: Option<&'v Value>,
    after: Option<&'v Value>,
    depth: usize,
) -> Option<Vec<Found<'v>>> {
    static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    let (before, after) = match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => (before, after),
        (None, Some(Value::Object(after))) if !after.is_empty() => (&*NOTHING, after),
        (Some(Value::Object(before)), None) if !before.is_empty() => (before, &*NOTHING),
        _ => return None,
    };
    if depth == 0 {
        return None;
    }
    let mut told: Vec<Found<'v>> = Vec::new();
    for (name, before, after) in differing(before, after) {
        if table.len() + 1 + name.len() > LONGEST_KEY {
            return None;
        }
        let key = format!("{table}.{name}");
        match inside(&key, before, after, depth - 1) {
            Some(deeper) => told.extend(deeper),
            None => told.push(Found { key, before, after }),
        }
        if told.len() > MOST_KEYS {
            return None;
        }
    }
    Some(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn differences(before: &Value, after: &Value) -> Vec<String> {
        let found = key_differences(before.as_object().unwrap(), after.as_object().unwrap());
        found.into_iter().map(|found| format!("{}: {} → {}", found.key, found.before, found.after)).collect()
    }

    #[test]
    fn tables_are_compared_key_by_key_and_lists_as_they_are() {
        let before =
            json!({ "name": "a", "limits": { "time": "1s", "memory": "1 MiB" }, "when": [1, 2], "gone": true });
        let after = json!({ "name": "a", "limits": { "time": "2s", "memory": "1 MiB" }, "when": [1], "oauth2": { "tenant": "t" } });
        assert_eq!(
            differences(&before, &after),
            ["limits.time: \"1s\" → \"2s\"", "when: [1,2] → [1]", "oauth2.tenant: null → \"t\"", "gone: true → null"]
        );
        assert!(differences(&after, &after).is_empty());
    }

    #[test]
    fn what_is_nested_without_end_is_one_value_at_last() {
        let deep = |inner: Value| (0..3 * DEPTH).fold(inner, |inner, _| json!({ "a": inner }));
        let found = differences(&deep(json!(1)), &deep(json!(2)));
        assert!(found.len() == 1 && found[0].starts_with(&"a.".repeat(DEPTH)), "{found:?}");
    }

    /// The keys that are told, where a filter's settings become these.
    fn keys_of(settings: &Value) -> Vec<String> {
        let (before, after) = (json!({ "settings": {} }), json!({ "settings": settings, "comment": "x" }));
        let found = key_differences(before.as_object().unwrap(), after.as_object().unwrap());
        found.into_iter().map(|found| found.key).collect()
    }

    #[test]
    fn a_table_in_which_many_keys_differ_or_one_has_a_long_name_is_one_value() {
        let many = |count: usize| -> Value { (0..count).map(|key| (format!("k{key}"), json!(1))).collect() };
        let long = "x".repeat(500_000);
        assert_eq!(keys_of(&many(MOST_KEYS)).len(), MOST_KEYS + 1);
        assert_eq!(keys_of(&many(MOST_KEYS + 1)), ["settings", "comment"]);
        assert_eq!(keys_of(&json!({ long.clone(): many(19_000) })), ["settings", "comment"]);
        assert_eq!(keys_of(&json!({ "a": { long.clone(): 1 }, "b": 1 })), ["settings.a", "settings.b", "comment"]);
        let told = differences(&json!({}), &json!({ long: many(3) }));
        assert!(told.len() == 1 && told[0].starts_with("xxx") && told[0].contains("…: null"), "{}", told.len());
    }
}
