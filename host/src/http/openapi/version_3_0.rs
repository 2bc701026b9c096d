//! The same document in OpenAPI 3.0, for generators of clients that read no other.
//!
//! 3.0 has a dialect of JSON Schema of its own. What both can say is said in its words; what only 3.1 can say is left
//! out, so that a client takes what the API gives and the API says itself what it does not take.

use super::walk::each_schema;
use serde_json::{Map, Value, json};

/// What 3.0 knows of JSON Schema ("Schema Object" there).
const KNOWN: [&str; 34] = [
    "$ref",
    "title",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxProperties",
    "minProperties",
    "required",
    "enum",
    "type",
    "not",
    "allOf",
    "oneOf",
    "anyOf",
    "items",
    "properties",
    "additionalProperties",
    "description",
    "format",
    "default",
    "nullable",
    "discriminator",
    "readOnly",
    "writeOnly",
    "example",
    "deprecated",
];

/// A document of 3.1 as one of 3.0.
pub fn as_version_3_0(document: &Value) -> Value {
    let mut document = document.clone();
    document["openapi"] = json!("3.0.3");
    for (key, member) in
        [("/info/license", "identifier"), ("/info", "summary"), ("", "webhooks"), ("", "jsonSchemaDialect")]
    {
        if let Some(fields) = document.pointer_mut(key).and_then(Value::as_object_mut) {
            fields.remove(member);
        }
    }
    each_schema(&mut document, &mut convert);
    document
}

/// A schema in the words of 3.0; those in it are in these words already.
fn convert(schema: &mut Value) {
    let Value::Object(fields) = schema else {
        // 3.0 has no `true` and `false` for schemas.
        *schema = if *schema == json!(false) { json!({ "not": {} }) } else { json!({}) };
        return;
    };
    let mut fields = std::mem::take(fields);
    if let Some(constant) = fields.remove("const") {
        fields.insert("enum".to_owned(), json!([constant]));
    }
    if let Some(Value::Array(examples)) = fields.remove("examples")
        && let Some(first) = examples.into_iter().next()
    {
        fields.insert("example".to_owned(), first);
    }
    for (bound, limit) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if let Some(value) = fields.remove(bound).filter(Value::is_number) {
            fields.insert(limit.to_owned(), value);
            fields.insert(bound.to_owned(), json!(true));
        }
    }
    if let Some(encoding) = fields.remove("contentEncoding") {
        let format = if encoding == "base64" { "byte" } else { "binary" };
        fields.entry("format").or_insert_with(|| json!(format));
    }
    let is_nullable = without_null(&mut fields);
    one_type(&mut fields);
    if fields.get("type").is_some_and(|kind| kind == "array") {
        fields.entry("items").or_insert_with(|| json!({}));
    }
    // A list of keys that must be there has one at least.
    fields.retain(|key, value| KNOWN.contains(&key.as_str()) && !(key == "required" && *value == json!([])));
    if is_nullable {
        fields.insert("nullable".to_owned(), json!(true));
    }
    *schema = Value::Object(beside_reference(fields));
}

/// Takes the type null out of a schema, and says whether it was there.
fn without_null(fields: &mut Map<String, Value>) -> bool {
    let mut is_nullable = false;
    if fields.get("type").is_some_and(|kind| kind == "null") {
        fields.remove("type");
        fields.insert("enum".to_owned(), json!([null]));
        is_nullable = true;
    }
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        is_nullable |= types.iter().any(|kind| kind == "null");
        types.retain(|kind| kind != "null");
    }
    for key in ["oneOf", "anyOf"] {
        let Some(Value::Array(parts)) = fields.get_mut(key) else { continue };
        // What these parts became above.
        let only_null = json!({ "enum": [null], "nullable": true });
        let count = parts.len();
        parts.retain(|part| *part != only_null);
        if parts.len() == count {
            continue;
        }
        is_nullable = true;
        if let [Value::Object(one)] = parts.as_slice() {
            let one = one.clone();
            fields.remove(key);
            for (key, value) in one {
                fields.entry(key).or_insert(value);
            }
        }
    }
    is_nullable
}

/// Says of several types that it is any of them; 3.0 has one for each schema.
fn one_type(fields: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = fields.get("type") else { return };
    let types = types.clone();
    fields.remove("type");
    match types.as_slice() {
        [] => {}
        [one] => {
            fields.insert("type".to_owned(), one.clone());
        }
        several => {
            let mut parts: Vec<Value> = several.iter().map(|kind| json!({ "type": kind })).collect();
            for array in parts.iter_mut().filter(|part| part["type"] == "array") {
                array["items"] = fields.remove("items").unwrap_or_else(|| json!({}));
            }
            fields.insert("anyOf".to_owned(), Value::Array(parts));
        }
    }
}

/// In 3.0 nothing that stands beside a reference counts.
fn beside_reference(mut fields: Map<String, Value>) -> Map<String, Value> {
    if fields.len() == 1 {
        return fields;
    }
    let Some(reference) = fields.remove("$ref") else { return fields };
    let mut parts = vec![json!({ "$ref": reference })];
    if let Some(Value::Array(more)) = fields.remove("allOf") {
        parts.extend(more);
    }
    fields.insert("allOf".to_owned(), Value::Array(parts));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(schema: &Value) -> Value {
        let mut document = json!({ "components": { "schemas": { "One": schema } } });
        document = as_version_3_0(&document);
        document["components"]["schemas"]["One"].take()
    }

    #[test]
    fn what_may_be_null_says_so_in_the_way_of_3_0() {
        assert_eq!(converted(&json!({ "type": ["string", "null"] })), json!({ "type": "string", "nullable": true }));
        let either = json!({ "oneOf": [{ "$ref": "#/a", "description": "It." }, { "type": "null" }], "default": null });
        assert_eq!(
            converted(&either),
            json!({ "default": null, "description": "It.", "nullable": true, "allOf": [{ "$ref": "#/a" }] })
        );
        let plain = json!({ "oneOf": [{ "$ref": "#/a" }, { "type": "null" }] });
        assert_eq!(converted(&plain), json!({ "nullable": true, "allOf": [{ "$ref": "#/a" }] }));
        let many = json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }, { "type": "null" }] });
        assert_eq!(
            converted(&many),
            json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }], "nullable": true })
        );
        assert_eq!(
            converted(&json!({ "type": ["array", "string", "null"], "items": { "type": "string" } })),
            json!({ "anyOf": [{ "type": "array", "items": { "type": "string" } }, { "type": "string" }], "nullable": true })
        );
    }

    #[test]
    fn what_3_0_has_other_words_for_is_said_in_them() {
        assert_eq!(converted(&json!({ "const": "x" })), json!({ "enum": ["x"] }));
        assert_eq!(
            converted(&json!({ "type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9, "examples": [1, 2] })),
            json!({ "type": "integer", "example": 1, "minimum": 0, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": true })
        );
        let base64 = json!({ "type": "string", "contentEncoding": "base64" });
        assert_eq!(converted(&base64), json!({ "type": "string", "format": "byte" }));
        let bytes = json!({ "type": "string", "format": "binary", "contentMediaType": "message/rfc822" });
        assert_eq!(converted(&bytes), json!({ "type": "string", "format": "binary" }));
        let described = json!({ "$ref": "#/a", "description": "It.", "readOnly": true });
        assert_eq!(
            converted(&described),
            json!({ "description": "It.", "readOnly": true, "allOf": [{ "$ref": "#/a" }] })
        );
        assert_eq!(converted(&json!({ "type": "array" })), json!({ "type": "array", "items": {} }));
        assert_eq!(converted(&json!({ "type": "object", "required": [] })), json!({ "type": "object" }));
    }

    #[test]
    fn what_only_3_1_can_say_is_left_out_and_keys_of_such_names_stay() {
        let object = json!({
            "type": "object", "propertyNames": { "type": "string" }, "additionalProperties": false,
            "properties": { "const": { "type": "string" }, "examples": true, "propertyNames": { "type": "null" } },
        });
        assert_eq!(
            converted(&object),
            json!({
                "type": "object", "additionalProperties": false,
                "properties": { "const": { "type": "string" }, "examples": {}, "propertyNames": { "enum": [null], "nullable": true } },
            })
        );
    }
}
