//! The OpenAPI 3.1 document: what the handlers say of themselves, and what is the same for all of them.

use super::problem::{self, Problem};
use super::role::{self, Role};
use axum::http::Method;
use utoipa::OpenApi;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, ResponseBuilder};

/// The name of the security scheme.
const SCHEME: &str = "token";

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

/// Adds to every operation what all have in common: the token, the roles that may, and the problem that stands for every error.
pub fn complete(mut document: Document) -> Document {
    let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_default().add_security_scheme(SCHEME, scheme);
    for (path, item) in &mut document.paths.paths {
        let path = path.strip_prefix(super::BASE).unwrap_or(path).to_owned();
        let operations = [
            (Method::GET, HttpMethod::Get, &mut item.get),
            (Method::PUT, HttpMethod::Put, &mut item.put),
            (Method::POST, HttpMethod::Post, &mut item.post),
            (Method::DELETE, HttpMethod::Delete, &mut item.delete),
            (Method::PATCH, HttpMethod::Patch, &mut item.patch),
        ];
        for (method, _, operation) in operations {
            if let Some(operation) = operation {
                describe(operation, &method, &path);
            }
        }
    }
    document
}

fn describe(operation: &mut Operation, method: &Method, path: &str) {
    operation.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
    operation.operation_id = Some(operation_id(method, path));
    let roles = role::find(method, path).map(|rule| rule.roles).unwrap_or_default();
    let roles = format!("Roles: {}.", roles.iter().map(|role: &Role| role.name()).collect::<Vec<_>>().join(", "));
    operation.description = Some(match operation.description.take() {
        Some(text) => format!("{text}\n\n{roles}"),
        None => roles,
    });
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new().description("What went wrong").content(problem::MEDIA_TYPE, content).build();
    operation.responses.responses.insert("default".to_owned(), response.into());
}

/// `get_queues_name` for `GET /queues/{name}`: unique, whatever the handlers are called.
fn operation_id(method: &Method, path: &str) -> String {
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method.as_str().to_ascii_lowercase()).chain(words.map(str::to_owned)).collect::<Vec<_>>().join("_")
}
