//! `/templates`: texts that agents write from.

#![allow(dead_code, reason = "the shape is described here; postigo_model::configured::form makes it")]

use super::ApiState;
use super::forms::ValidityForm;
use super::handlers::{delete_handler, handlers};
use postigo_model::configured::{Template, TemplateType};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

handlers!(Template, TemplateForm, tag = "templates", all = "/templates", one = "/templates/{name}");
delete_handler!(Template, tag = "templates", one = "/templates/{name}");

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, replace, change, delete))
}

/// A text that agents write from.
#[derive(ToSchema)]
#[schema(as = Template)]
#[serde(deny_unknown_fields)]
pub struct TemplateForm {
    /// Unique.
    name: String,
    /// What it is for.
    r#type: TemplateType,
    /// The queues that it is for; empty: all.
    queues: Vec<String>,
    /// Template; empty: the subject that the mail would have without it.
    subject: String,
    /// Template.
    body: String,
    /// For admins.
    comment: String,
    /// In use?
    valid: ValidityForm,
}
