//! `/queues`: where tickets lie. A queue is never deleted, only made invalid.

#![allow(dead_code, reason = "the shape is described here; postigo_model::configured::form makes it")]

use super::ApiState;
use super::forms::ValidityForm;
use super::handlers::handlers;
use postigo_model::configured::{FollowUpOption, Queue};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

handlers!(Queue, QueueForm, tag = "queues", all = "/queues", one = "/queues/{name}");

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, replace, change))
}

/// A queue.
#[derive(ToSchema)]
#[schema(as = Queue)]
#[serde(deny_unknown_fields)]
pub struct QueueForm {
    /// Unique.
    name: String,
    /// What becomes of follow-ups to its closed tickets.
    follow_up: FollowUpOption,
    /// Whether a follow-up locks a ticket that was closed.
    follow_up_lock: bool,
    /// The system address that it sends from; null: the first valid one that names this queue.
    #[schema(required)]
    address: Option<String>,
    /// Template.
    salutation: String,
    /// Template.
    signature: String,
    /// For admins.
    comment: String,
    /// In use?
    valid: ValidityForm,
}
