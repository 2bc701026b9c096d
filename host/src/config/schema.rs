//! Filters' settings against the JSON Schema that their component gives.

use super::form::below;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

/// A sentence about a value is cut here: the value may be as large as it likes.
const LONGEST: usize = 300;

/// A component's schema, ready for use. Nothing is fetched that it refers to.
pub struct Schema(Validator);

impl Schema {
    /// Compiles it; the error is a sentence.
    pub fn new(schema: &Value) -> Result<Self, String> {
        let compiled = jsonschema::draft202012::options().build(schema);
        compiled.map(Self).map_err(|error| format!("its settings schema is no JSON Schema: {}.", sentence(&error.to_string())))
    }

    /// Every mistake: a JSON Pointer into the settings, and a sentence.
    pub fn mistakes(&self, settings: &Value) -> Vec<(String, String)> {
        self.0.iter_errors(settings).flat_map(|error| tell(&error)).collect()
    }
}

fn tell(error: &ValidationError<'_>) -> Vec<(String, String)> {
    let place = error.instance_path.to_string();
    match &error.kind {
        ValidationErrorKind::AdditionalProperties { unexpected } | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            unexpected.iter().map(|key| (below(&place, key), format!("the component knows no key `{key}` here."))).collect()
        }
        ValidationErrorKind::Required { property: Value::String(key) } => vec![(place, format!("the key `{key}` is missing."))],
        _ => vec![(place, format!("{}.", sentence(&error.to_string())))],
    }
}

fn sentence(text: &str) -> String {
    let text = text.trim_end_matches('.');
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_mistake_has_its_place() {
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "properties": { "when": { "type": "array", "items": {
                "type": "object", "additionalProperties": false, "required": ["header"],
                "properties": { "header": { "type": "string" }, "negate": { "type": "boolean" } }
            } } }
        });
        let schema = Schema::new(&schema).unwrap();
        assert_eq!(schema.mistakes(&json!({"when": [{"header": "Subject", "negate": true}]})), []);
        let mut mistakes = schema.mistakes(&json!({"when": [{"negat": true}, {"header": 17}], "a/b": 1}));
        mistakes.sort();
        let places: Vec<(&str, &str)> = mistakes.iter().map(|(place, sentence)| (place.as_str(), sentence.as_str())).collect();
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
        assert!(Schema::new(&json!({"type": "nothing"})).is_err());
        assert!(Schema::new(&json!({"$ref": "https://schema.example/x.json"})).is_err(), "nothing is fetched");
    }
}
