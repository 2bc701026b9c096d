//! The OpenAPI 3.1 document: what the handlers say of themselves, and what is the same for all of them.
//!
//! Configured things are described by their keys (`kinds`).

mod kinds;

use super::problem::{self, Problem};
use super::role::{self, Role};
use crate::oauth2::SignInState;
use crate::service::behind::HostNotYet;
use axum::http::Method;
use kinds::KindSchemas;
use serde_json::{Value, json};
use utoipa::OpenApi;

/// Where the API begins; the next major version will stand beside it.
pub const BASE: &str = "/api/v1";

/// The name of the security scheme.
const SCHEME: &str = "token";
/// The methods that a path item may have.
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// Where the handlers' descriptions are collected.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Postigo",
        description = "The mail gate of a helpdesk. Every error is a problem by RFC 9457; lists come in pages; secrets are written and never read."
    ),
    components(schemas(Problem, SignInState, HostNotYet))
)]
pub struct BaseDocument;

/// The document as it is served.
pub fn complete(document: &utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    let KindSchemas { schemas, paths } = kinds::parts();
    for (name, schema) in schemas {
        document["components"]["schemas"][name] = schema;
    }
    for (path, item) in paths {
        document["paths"][format!("{BASE}{path}")] = item;
    }
    for (path, item) in members(&mut document, "/paths") {
        let path = path.strip_prefix(BASE).unwrap_or(path).to_owned();
        for (method, operation) in members(item, "").filter(|(method, _)| METHODS.contains(&method.as_str())) {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap_or_default();
            describe(operation, &method, &path);
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
    // No body may be left out; a shape that is named by its reference alone does not say so.
    if let Some(body) = operation.get_mut("requestBody").and_then(Value::as_object_mut) {
        body.insert("required".to_owned(), Value::Bool(true));
    }
    operation["responses"]["default"] = json!({
        "description": "What went wrong",
        "content": { problem::MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" } } }
    });
}

/// `get_queues_name` for `GET /queues/{name}`: unique, whatever the handlers are called.
fn operation_id(method: &Method, path: &str) -> String {
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method.as_str().to_ascii_lowercase()).chain(words.map(str::to_owned)).collect::<Vec<_>>().join("_")
}
