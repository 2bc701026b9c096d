//! `/auto-responses`: automatic answers of queues.

#![allow(dead_code, reason = "the shape is described here; postigo_model::configured::form makes it")]

use super::ApiState;
use super::handlers::{delete_handler, handlers};
use postigo_model::configured::{AutoResponse, AutoResponseType};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

handlers!(AutoResponse, AutoResponseForm, tag = "auto-responses", all = "/auto-responses", one = "/auto-responses/{name}");
delete_handler!(AutoResponse, tag = "auto-responses", one = "/auto-responses/{name}");

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, replace, change, delete))
}

/// An automatic answer of a queue, sent from the queue's system address.
#[derive(ToSchema)]
#[schema(as = AutoResponse)]
#[serde(deny_unknown_fields)]
pub struct AutoResponseForm {
    /// Unique.
    name: String,
    /// Its occasion.
    r#type: AutoResponseType,
    /// Its queue.
    queue: String,
    /// The language it is written in (`de`, `pt-BR`): of several for one occasion of a queue the customer gets his; empty: for everybody else.
    language: String,
    /// Template.
    subject: String,
    /// Template.
    body: String,
}
