//! Where schemas stand in a document: in one place, so that what is done to each of them is done to all.

use serde_json::Value;

/// What is done to a schema.
pub type Change<'c> = &'c mut dyn FnMut(&mut Value);

/// Shows every schema of a document to `change`, inner ones before those that they stand in.
pub fn each_schema(document: &mut Value, change: Change<'_>) {
    match document {
        Value::Object(fields) => {
            for (key, value) in fields {
                match key.as_str() {
                    "schema" => each_within(value, change),
                    "schemas" => members(value).for_each(|(_, schema)| each_within(schema, change)),
                    "example" | "examples" => {}
                    _ => each_schema(value, change),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_schema(item, change)),
        _ => {}
    }
}

/// Shows a schema, and those in it, to `change`.
pub fn each_within(schema: &mut Value, change: Change<'_>) {
    for (key, value) in members(schema) {
        match key.as_str() {
            "properties" | "patternProperties" | "$defs" | "dependentSchemas" => {
                members(value).for_each(|(_, schema)| each_within(schema, change));
            }
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
                value.as_array_mut().into_iter().flatten().for_each(|schema| each_within(schema, change));
            }
            // Whether there may be others is no schema.
            "additionalProperties" | "unevaluatedProperties" if value.is_boolean() => {}
            "items"
            | "additionalProperties"
            | "not"
            | "propertyNames"
            | "contains"
            | "if"
            | "then"
            | "else"
            | "unevaluatedItems"
            | "unevaluatedProperties" => each_within(value, change),
            _ => {}
        }
    }
    change(schema);
}

/// Shows every operation of a document, with its method and path, to `change`.
pub fn each_operation(document: &mut Value, mut change: impl FnMut(&str, &str, &mut Value)) {
    /// The methods that a path item may have.
    const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    for (path, item) in document.get_mut("paths").into_iter().flat_map(members) {
        for (method, operation) in members(item).filter(|(method, _)| METHODS.contains(&method.as_str())) {
            change(method, path, operation);
        }
    }
}

/// Shows every body of an operation, of its request and of its answers, with its media type, to `change`.
pub fn each_body(operation: &mut Value, mut change: impl FnMut(&str, &mut Value)) {
    let mut of = |holder: &mut Value| {
        for (media_type, body) in holder.get_mut("content").into_iter().flat_map(members) {
            change(media_type, body);
        }
    };
    operation.get_mut("requestBody").into_iter().for_each(&mut of);
    for (_, response) in operation.get_mut("responses").into_iter().flat_map(members) {
        of(response);
    }
}

/// The members of an object; none of anything else.
pub fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flatten()
}
