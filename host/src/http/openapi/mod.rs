//! The OpenAPI 3.1 document: what the handlers say of themselves, and what is the same for all of them; and the same
//! in 3.0 for generators of clients that read no other (`version_3_0`).
//!
//! Configured things are described by their keys (`kinds`); what the derive macros leave wrong is made right for all
//! schemas at once (`shapes`).

mod kinds;
mod shapes;
#[cfg(test)]
mod tests;
mod version_3_0;
mod walk;

use super::problem::{self, Problem};
use super::role::{self, Role};
use crate::oauth2::SignInState;
use crate::service::behind::HostNotYet;
use axum::http::Method;
use kinds::KindSchemas;
use postigo_model::configured::key_difference::KeyDifference;
use serde_json::{Map, Value, json};
use shapes::PAGE;
use utoipa::OpenApi;
use walk::{each_operation, members};

pub use version_3_0::as_version_3_0;

/// Where the API begins; the next major version will stand beside it.
pub const BASE: &str = "/api/v1";

/// The name of the security scheme.
const SCHEME: &str = "token";
/// The name of the header that leads from page to page.
const LINK: &str = "Link";

/// What operations are listed under, beside the kinds of configured things.
const TAGS: [(&str, &str); 10] = [
    ("classifiers", "What classifiers learn from: what people say to be right."),
    ("communications", "The communication log: what came in and went out, and what was done with it."),
    ("components", "What filters are made of: what ships with Postigo and what was uploaded."),
    ("jobs", "What takes long: asked for, followed, cancelled."),
    ("messages", "Handing mail in."),
    ("outbound", "Outgoing mails, and what became of them."),
    ("settings", "The general settings."),
    ("spool", "Messages that wait, are held, failed or were ignored."),
    ("tickets", "Tickets and their articles: read, changed, written to."),
    ("tokens", "Who may use this API."),
];

/// Where the handlers' descriptions are collected.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Postigo",
        description = "The mail gate of a helpdesk. Every error is a problem by RFC 9457; lists come in pages; secrets are written and never read."
    ),
    components(schemas(Problem, SignInState, HostNotYet, KeyDifference))
)]
pub struct BaseDocument;

/// The document as it is served.
pub fn complete(document: &utoipa::openapi::OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    let KindSchemas { schemas, paths, mut tags } = kinds::parts();
    for (name, schema) in schemas {
        document["components"]["schemas"][name] = schema;
    }
    for (path, item) in paths {
        document["paths"][format!("{BASE}{path}")] = item;
    }
    shapes::settle(&mut document);
    let sentences = sentences(&document);
    each_operation(&mut document, |method, path, operation| {
        let path = path.strip_prefix(BASE).unwrap_or(path);
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap_or_default();
        describe(operation, &method, path);
        describe_answers(operation, &sentences);
    });
    tags.extend(TAGS.iter().map(|(name, text)| json!({ "name": name, "description": text })));
    document["tags"] = Value::Array(tags);
    // Whatever address it was read from.
    document["servers"] = json!([{ "url": "/", "description": "The daemon that serves this document" }]);
    if let Some(components) = document.pointer_mut("/components").and_then(Value::as_object_mut) {
        components.insert("securitySchemes".to_owned(), json!({ SCHEME: { "type": "http", "scheme": "bearer" } }));
        let link = json!({
            "description": "Where the next page is (`rel=\"next\"`), unless this is the last one, and where the first is (`rel=\"first\"`); RFC 8288.",
            "schema": { "type": "string" }
        });
        components.insert("headers".to_owned(), json!({ LINK: link }));
    }
    document
}

/// What each schema is, by where it stands.
fn sentences(document: &Value) -> Map<String, Value> {
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object).into_iter().flatten();
    schemas.map(|(name, schema)| (shapes::reference(name), schema["description"].clone())).collect()
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
        "content": { problem::MEDIA_TYPE: { "schema": { "$ref": shapes::reference("Problem") } } }
    });
}

/// Says of each answer what it is, where its handler does not, and of a page what leads to the next one.
fn describe_answers(operation: &mut Value, sentences: &Map<String, Value>) {
    for (status, response) in operation.get_mut("responses").into_iter().flat_map(members) {
        let shape = response.pointer("/content/application~1json/schema/$ref").and_then(Value::as_str);
        let sentence = shape.and_then(|shape| sentences.get(shape)?.as_str());
        let is_page = shape.is_some_and(|shape| shape.starts_with(&shapes::reference(PAGE)));
        let description = match (status.as_str(), sentence) {
            ("204", _) => "Done; there is nothing to show",
            (_, Some(sentence)) => sentence.lines().next().unwrap_or_default().trim_end_matches('.'),
            ("202", None) => "Taken; it goes on",
            _ => "Done",
        };
        let description = Value::from(description);
        if response["description"].as_str().is_none_or(str::is_empty) {
            response["description"] = description;
        }
        if is_page {
            response["headers"] = json!({ LINK: { "$ref": format!("#/components/headers/{LINK}") } });
        }
    }
}

/// `get_queues_name` for `GET /queues/{name}`: unique, whatever the handlers are called.
fn operation_id(method: &Method, path: &str) -> String {
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method.as_str().to_ascii_lowercase()).chain(words.map(str::to_owned)).collect::<Vec<_>>().join("_")
}
