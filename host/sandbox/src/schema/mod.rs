//! Filters' settings against the JSON Schema that their component gives. It is applied in the child process alone: what
//! a stranger wrote decides how long that takes, and how much memory.

mod bounds;

pub(super) use bounds::read;

use super::contract::{GroupMember, SettingsMistake};
use super::guest_log::one_line;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, Retrieve, Uri, ValidationError, Validator};
use serde_json::Value;

/// Bytes of a sentence about a value: the value may be as large as it likes.
const SENTENCE: usize = 300;
/// Bytes of a place, whose keys may be as long as they like.
const PLACE: usize = 1024;
/// Mistakes that are told, of all filters together.
const MOST: usize = 1000;
/// Bytes of one compiled pattern.
const PATTERN: usize = 1 << 20;
/// Steps back that a pattern may take in one string.
const STEPS_BACK: usize = 100_000;

/// Every mistake in the settings, the first thousand of them. The error is a sentence: why the schema cannot be
/// applied.
pub(super) fn mistakes(schema: &Value, members: &[GroupMember]) -> Result<Vec<SettingsMistake>, String> {
    bounds::check(schema).map_err(|why| format!("the settings schema {why}"))?;
    let validator = compile(schema)?;
    let told = members.iter().flat_map(|member| {
        let errors = validator.iter_errors(&member.settings);
        errors.flat_map(|error| tell(&error)).map(|(place, reason)| SettingsMistake {
            filter: member.name.to_string(),
            place: one_line(&place, PLACE),
            reason: one_line(&reason, SENTENCE),
        })
    });
    Ok(told.take(MOST).collect())
}

fn compile(schema: &Value) -> Result<Validator, String> {
    let mut schema = schema.clone();
    if let Some(keywords) = schema.as_object_mut() {
        // Names for the whole. References are places in it, and it is read as 2020-12 whatever it calls itself.
        keywords.remove("$id");
        keywords.remove("$schema");
    }
    let patterns =
        PatternOptions::fancy_regex().backtrack_limit(STEPS_BACK).size_limit(PATTERN).dfa_size_limit(PATTERN);
    let options = jsonschema::draft202012::options().with_pattern_options(patterns).with_retriever(NoRemoteSchema);
    let compiled = options.build(&schema);
    compiled
        .map_err(|error| format!("the settings schema is no JSON Schema: {}", one_line(&error.to_string(), SENTENCE)))
}

/// Fetches nothing.
struct NoRemoteSchema;

impl Retrieve for NoRemoteSchema {
    fn retrieve(&self, _: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err("schemas are not fetched".into())
    }
}

fn tell(error: &ValidationError<'_>) -> Vec<(String, String)> {
    let place = error.instance_path.to_string();
    match &error.kind {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => unexpected
            .iter()
            .map(|key| (below(&place, key), format!("the component knows no key `{key}` here.")))
            .collect(),
        ValidationErrorKind::Required { property: Value::String(key) } => {
            vec![(place, format!("the key `{key}` is missing."))]
        }
        _ => vec![(place, format!("{}.", one_line(error.to_string().trim_end_matches('.'), SENTENCE - 1)))],
    }
}

/// The place of a key in the object at `place` (RFC 6901).
fn below(place: &str, key: &str) -> String {
    format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(schema: &Value, settings: Value) -> Vec<(String, String)> {
        let member = GroupMember::new("10", settings);
        mistakes(schema, &[member]).unwrap().into_iter().map(|problem| (problem.place, problem.reason)).collect()
    }

    #[test]
    fn every_mistake_has_its_place() {
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": { "when": { "type": "array", "items": {
                "type": "object", "additionalProperties": false, "required": ["header"],
                "properties": { "header": { "type": "string" }, "negate": { "type": "boolean" } }
            } } }
        });
        assert_eq!(told(&schema, json!({"when": [{"header": "Subject", "negate": true}]})), []);
        let mut mistakes = told(&schema, json!({"when": [{"negat": true}, {"header": 17}], "a/b": 1}));
        mistakes.sort();
        let places: Vec<(&str, &str)> =
            mistakes.iter().map(|(place, sentence)| (place.as_str(), sentence.as_str())).collect();
        assert_eq!(
            places,
            [
                ("/a~1b", "the component knows no key `a/b` here."),
                ("/when/0", "the key `header` is missing."),
                ("/when/0/negat", "the component knows no key `negat` here."),
                ("/when/1/header", "17 is not of type \"string\"."),
            ]
        );
    }

    #[test]
    fn what_is_no_schema_is_told() {
        assert!(mistakes(&json!({"type": "nothing"}), &[]).unwrap_err().contains("no JSON Schema"));
        assert!(mistakes(&json!({"$ref": "https://schema.example/x.json"}), &[]).is_err(), "nothing is fetched");
        assert!(mistakes(&json!({"allOf": [{"$ref": "#"}]}), &[]).unwrap_err().contains("again and again"));
    }

    #[test]
    fn an_older_name_of_the_whole_changes_nothing() {
        let schema = json!({
            "$id": "https://json-schema.org/draft/2020-12/schema", "$schema": "http://json-schema.org/draft-07/schema#",
            "properties": { "a": { "$ref": "#/$defs/number", "minimum": 3 } }, "$defs": { "number": { "type": "integer" } }
        });
        assert_eq!(told(&schema, json!({"a": "x"})).len(), 1);
        assert_eq!(told(&schema, json!({"a": 2})).len(), 1, "what stands beside a reference counts, as in 2020-12");
    }

    #[test]
    fn many_and_long_mistakes_are_cut() {
        let schema = json!({ "additionalProperties": { "type": "array", "items": { "type": "string" } } });
        let long = "key".repeat(100_000);
        let mistakes = told(&schema, json!({ long: vec![1; 5_000], "text": "text".repeat(100_000) }));
        assert_eq!(mistakes.len(), MOST);
        let bytes: usize = mistakes.iter().map(|(place, reason)| place.len() + reason.len()).sum();
        assert!(bytes <= MOST * (PLACE + SENTENCE + 16), "{bytes}");
        let unknown = told(&json!({ "additionalProperties": false }), json!({ "a\u{1b}[2J".repeat(1_000): 1 }));
        assert!(unknown[0].1.len() < SENTENCE + 16 && !unknown[0].1.contains('\u{1b}'), "{unknown:?}");
    }

    #[test]
    fn a_pattern_that_steps_back_for_ever_does_not_match() {
        let schema = json!({ "properties": { "a": { "pattern": "^(a|aa|a?)+(?=b)$" } } });
        assert_eq!(told(&schema, json!({ "a": "a".repeat(60) })).len(), 1);
        let counted = json!({ "pattern": "((((a{99}){99}){99}){99}){99}" });
        assert!(mistakes(&counted, &[]).unwrap_err().contains("no JSON Schema"));
    }
}
