//! What differs between two forms of a thing, key by key: `limits.time` stands for a key of a table inside, a list is one
//! value.

use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Tables lie so deep in each other at most; what lies deeper counts as one value.
const DEPTH: usize = 16;

/// A key that has another value than before.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct KeyDifference {
    /// The key: `comment`, `limits.time`.
    pub key: String,
    /// What it had; null where it was not there.
    pub before: Value,
    /// What it has; null where it is not there.
    pub after: Value,
}

/// The keys that differ, in the order in which they stand in the later form; those that are gone come last.
pub fn key_differences(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<KeyDifference> {
    let mut found = Vec::new();
    compare("", before, after, DEPTH, &mut found);
    found
}

fn compare(
    path: &str,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    depth: usize,
    found: &mut Vec<KeyDifference>,
) {
    let mut seen = BTreeSet::new();
    for key in after.keys().chain(before.keys()).filter(|key| seen.insert(key.as_str())) {
        let place = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let nothing = Map::new();
        match (before.get(key), after.get(key)) {
            (before, after) if before == after => {}
            // What is null is not there.
            (None, Some(Value::Null)) | (Some(Value::Null), None) => {}
            (Some(Value::Object(before)), Some(Value::Object(after))) if depth > 0 => {
                compare(&place, before, after, depth - 1, found);
            }
            (None, Some(Value::Object(after))) if depth > 0 && !after.is_empty() => {
                compare(&place, &nothing, after, depth - 1, found);
            }
            (Some(Value::Object(before)), None) if depth > 0 && !before.is_empty() => {
                compare(&place, before, &nothing, depth - 1, found);
            }
            (before, after) => found.push(KeyDifference {
                key: place,
                before: before.cloned().unwrap_or_default(),
                after: after.cloned().unwrap_or_default(),
            }),
        }
    }
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
}
