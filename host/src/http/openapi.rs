//! The OpenAPI 3.1 document: what the handlers say of themselves, and what is the same for all of them.
//!
//! Configured things have one shape in `host/src/api/<noun>.rs`, as they are shown. What a body may hold follows from it: `…Input` for
//! a whole thing (only the name is a must; secrets may be there) and `…Change` for a part of one.

use super::problem::{self, Problem};
use super::role::{self, Role};
use axum::http::Method;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

/// Where the API begins; the next major version will stand beside it.
pub const BASE: &str = "/api/v1";

/// The name of the security scheme.
const SCHEME: &str = "token";
/// The methods that a path item may have.
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// The configured shapes that bodies have too, with the key that names the thing; tables inside things have none.
const WRITTEN: [(&str, &str); 16] = [
    ("Account", "name"),
    ("AutoResponse", "name"),
    ("DynamicField", "name"),
    ("Filter", "name"),
    ("Limits", ""),
    ("LogRetention", ""),
    ("OAuth2", ""),
    ("Queue", "name"),
    ("Settings", ""),
    ("SystemAddress", "address"),
    ("Template", "name"),
    ("AccountTls", ""),
    ("Retries", ""),
    ("Transport", "name"),
    ("TransportTls", ""),
    ("CustomerUser", "login"),
];

/// Where the handlers' descriptions are collected.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Postigo",
        description = "The mail gate of a helpdesk. Every error is a problem by RFC 9457; lists come in pages; secrets are written and never read."
    ),
    components(schemas(Problem))
)]
pub struct Base;

/// The document as it is served.
pub fn complete(document: &utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    add_inputs(&mut document);
    for (path, item) in members(&mut document, "/paths") {
        let path = path.strip_prefix(BASE).unwrap_or(path).to_owned();
        for (method, operation) in members(item, "").filter(|(method, _)| METHODS.contains(&method.as_str())) {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap_or_default();
            describe(operation, &method, &path);
            refer_to_inputs(&mut operation["requestBody"], if method == Method::PATCH { "Change" } else { "Input" });
        }
    }
    if let Some(components) = document.pointer_mut("/components").and_then(Value::as_object_mut) {
        components.insert("securitySchemes".to_owned(), json!({ SCHEME: { "type": "http", "scheme": "bearer" } }));
    }
    document
}

fn members<'v>(value: &'v mut Value, pointer: &str) -> impl Iterator<Item = (&'v String, &'v mut Value)> {
    value.pointer_mut(pointer).and_then(Value::as_object_mut).into_iter().flatten()
}

/// Adds what all operations have in common: the token, the roles that may, and the problem that stands for every error.
fn describe(operation: &mut Value, method: &Method, path: &str) {
    let roles = role::find(method, path).map(|rule| rule.roles).unwrap_or_default();
    let roles = roles.iter().map(|role: &Role| role.name()).collect::<Vec<_>>().join(", ");
    let description = match operation["description"].as_str() {
        Some(text) => format!("{text}\n\nRoles: {roles}."),
        None => format!("Roles: {roles}."),
    };
    operation["description"] = Value::String(description);
    operation["operationId"] = Value::String(operation_id(method, path));
    operation["security"] = json!([{ SCHEME: [] }]);
    operation["responses"]["default"] = json!({
        "description": "What went wrong",
        "content": { problem::MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" } } }
    });
    // Only a thing of its own has an ETag.
    let shown = operation.pointer("/responses/200/content/application~1json/schema/$ref").and_then(Value::as_str);
    let shown = shown.and_then(|reference| reference.rsplit('/').next()).unwrap_or_default();
    if *method == Method::GET && WRITTEN.iter().any(|(written, _)| *written == shown) {
        operation["responses"]["304"] = json!({ "description": "Unchanged since If-None-Match" });
    }
}

/// `get_queues_name` for `GET /queues/{name}`: unique, whatever the handlers are called.
fn operation_id(method: &Method, path: &str) -> String {
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method.as_str().to_ascii_lowercase()).chain(words.map(str::to_owned)).collect::<Vec<_>>().join("_")
}

/// Makes the shapes of bodies out of the shapes of answers.
fn add_inputs(document: &mut Value) {
    let mut added = Map::new();
    for (name, schema) in members(document, "/components/schemas") {
        if let Some((_, key)) = WRITTEN.iter().find(|(written, _)| written == name) {
            let mut input = without(schema, "readOnly");
            refer_to_inputs(&mut input, "Input");
            input["required"] = if key.is_empty() { json!([]) } else { json!([key]) };
            let mut change = input.clone();
            change["required"] = json!([]);
            added.insert(format!("{name}Input"), input);
            added.insert(format!("{name}Change"), change);
        }
        *schema = without(schema, "writeOnly");
    }
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        schemas.extend(added);
    }
}

/// Has every reference to a shape that is written name the shape of its body.
fn refer_to_inputs(value: &mut Value, ending: &str) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(reference) if key == "$ref" => {
                        let name = reference.rsplit('/').next().unwrap_or_default();
                        if WRITTEN.iter().any(|(written, _)| *written == name) {
                            reference.push_str(ending);
                        }
                    }
                    value => refer_to_inputs(value, ending),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| refer_to_inputs(item, ending)),
        _ => {}
    }
}

/// A schema without the properties that have this mark, at any depth.
fn without(schema: &Value, mark: &str) -> Value {
    match schema {
        Value::Object(fields) => {
            let mut fields: Map<String, Value> = fields.iter().map(|(key, value)| (key.clone(), without(value, mark))).collect();
            drop_marked(&mut fields, mark);
            Value::Object(fields)
        }
        Value::Array(items) => items.iter().map(|item| without(item, mark)).collect(),
        other => other.clone(),
    }
}

fn drop_marked(schema: &mut Map<String, Value>, mark: &str) {
    let mut gone = Vec::new();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.retain(|key, property| {
            let keep = property[mark] != json!(true);
            if !keep {
                gone.push(key.clone());
            }
            keep
        });
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|key| !gone.iter().any(|gone| key == gone));
    }
}
