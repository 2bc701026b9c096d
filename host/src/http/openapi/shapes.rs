//! What the derive macros leave wrong or unsaid, made right for all schemas and bodies at once: clients that are
//! generated take the document at its word.

use super::walk::{each_body, each_operation, each_schema, members};
use serde_json::{Map, Value, json};

/// What the names of pages begin with; the name of what is listed follows.
pub const PAGE: &str = "Page_";

/// Makes the shapes of a document what they are meant to be.
pub fn settle(document: &mut Value) {
    each_schema(document, &mut |schema| {
        merge(schema);
        drop_empty_default(schema);
    });
    list_by_reference(document);
    each_operation(document, |_, _, operation| {
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            parameter.get_mut("schema").into_iter().for_each(never_null);
        }
        each_body(operation, |media_type, body| {
            if !is_text(media_type) {
                body["schema"] = json!({ "type": "string", "format": "binary", "contentMediaType": media_type });
            }
        });
    });
}

/// One page of a list of what has this schema.
pub fn page_of(item: &str) -> Value {
    json!({
        "type": "object",
        "description": "One page of a list.",
        "required": ["items", "next_cursor"],
        "properties": {
            "items": { "type": "array", "items": { "$ref": reference(item) }, "description": "The rows." },
            "next_cursor": {
                "type": ["string", "null"],
                "description": "What to send as `cursor` for the next page; null on the last one."
            }
        }
    })
}

/// Where a schema stands.
pub fn reference(schema: &str) -> String {
    format!("#/components/schemas/{schema}")
}

/// Whether bodies of this media type are described by JSON Schema or are text.
fn is_text(media_type: &str) -> bool {
    media_type.ends_with("json") || media_type.starts_with("text/")
}

/// Puts the keys of what is flattened into an object beside the object's own: a shape of several parts that have no
/// names is one object.
fn merge(schema: &mut Value) {
    /// What a part may say for nothing to be lost; a default of the whole says nothing that those of its keys do not.
    const KNOWN: [&str; 5] = ["type", "description", "properties", "required", "default"];
    let is_plain =
        |part: &Value| part.as_object().is_some_and(|part| part.keys().all(|key| KNOWN.contains(&key.as_str())));
    let Some(parts) = schema.get("allOf").and_then(Value::as_array).filter(|parts| parts.iter().all(is_plain)) else {
        return;
    };
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for part in parts {
        properties.extend(part.get("properties").and_then(Value::as_object).cloned().into_iter().flatten());
        required.extend(part.get("required").and_then(Value::as_array).cloned().into_iter().flatten());
    }
    if let Some(fields) = schema.as_object_mut() {
        fields.remove("allOf");
        fields.insert("type".to_owned(), json!("object"));
        fields.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            fields.insert("required".to_owned(), Value::Array(required));
        }
    }
}

/// A key that may be left out and is never null has no default that could be written.
fn drop_empty_default(schema: &mut Value) {
    if schema.get("default").is_some_and(Value::is_null)
        && !admits_null(schema)
        && let Some(fields) = schema.as_object_mut()
    {
        fields.remove("default");
    }
}

/// Whether null fits a schema, as far as it says so itself.
fn admits_null(schema: &Value) -> bool {
    let is_null = |kind: &Value| kind == "null";
    let by_type = schema
        .get("type")
        .is_some_and(|kind| is_null(kind) || kind.as_array().is_some_and(|all| all.iter().any(is_null)));
    let by_part = ["oneOf", "anyOf"]
        .iter()
        .any(|key| schema.get(key).and_then(Value::as_array).is_some_and(|parts| parts.iter().any(admits_null)));
    by_type || by_part
}

/// Takes null from what a parameter may be: it is there, or it is left out.
fn never_null(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = fields.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            fields.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(parts)) = fields.get_mut("oneOf") {
        parts.retain(|part| part["type"] != "null");
        if let [Value::Object(one)] = parts.as_slice() {
            let one = one.clone();
            fields.remove("oneOf");
            fields.extend(one);
        }
    }
}

/// Names in each page what is listed, so that a row of a list has the type of what is shown by itself.
fn list_by_reference(document: &mut Value) {
    let Some(schemas) = document.pointer_mut("/components/schemas") else { return };
    let names: Vec<String> = members(schemas).map(|(name, _)| name.clone()).collect();
    for name in &names {
        if let Some(item) = name.strip_prefix(PAGE).filter(|item| names.iter().any(|name| name == item)) {
            schemas[name] = page_of(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(schema: &Value) -> Value {
        let mut document = json!({ "components": { "schemas": { "One": schema } } });
        settle(&mut document);
        document["components"]["schemas"]["One"].take()
    }

    #[test]
    fn what_is_flattened_into_an_object_is_one_object_with_it() {
        let inner = json!({ "allOf": [
            { "type": "object", "required": ["from"], "properties": { "from": { "type": "string" } } },
            { "type": "object", "description": "The mail.", "default": { "from": null } }
        ] });
        let own = json!({ "type": "object", "required": ["kind"], "properties": { "kind": { "type": "string" } } });
        let merged = settled(&json!({ "allOf": [inner, own], "description": "An article." }));
        assert_eq!(
            merged,
            json!({
                "type": "object", "description": "An article.", "required": ["from", "kind"],
                "properties": { "from": { "type": "string" }, "kind": { "type": "string" } }
            })
        );
        let by_name = json!({ "allOf": [{ "$ref": "#/components/schemas/Other" }, { "type": "object" }] });
        assert_eq!(settled(&by_name), by_name, "what has a name keeps it");
    }

    #[test]
    fn a_default_of_null_stays_where_null_may_be_written() {
        let nullable = json!({ "type": ["string", "null"], "default": null });
        assert_eq!(settled(&nullable), nullable);
        let either = json!({ "oneOf": [{ "type": "string" }, { "type": "null" }], "default": null });
        assert_eq!(settled(&either), either);
        assert_eq!(settled(&json!({ "type": "string", "default": null })), json!({ "type": "string" }));
        let key_of_that_name = json!({ "type": "object", "properties": { "default": { "type": "string" } } });
        assert_eq!(settled(&key_of_that_name), key_of_that_name);
    }

    #[test]
    fn parameters_are_left_out_and_never_null() {
        let mut either = json!({ "oneOf": [{ "$ref": "#/components/schemas/Status" }, { "type": "null" }] });
        never_null(&mut either);
        assert_eq!(either, json!({ "$ref": "#/components/schemas/Status" }));
        let mut text = json!({ "type": ["string", "null"] });
        never_null(&mut text);
        assert_eq!(text, json!({ "type": "string" }));
    }
}
