//! `/dynamic-fields`: fields of tickets beside the built-in ones.

#![allow(dead_code, reason = "the shape is described here; postigo_model::configured::form makes it")]

use super::ApiState;
use super::handlers::{delete_handler, handlers};
use postigo_model::configured::DynamicField;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

handlers!(DynamicField, DynamicFieldForm, tag = "dynamic-fields", all = "/dynamic-fields", one = "/dynamic-fields/{name}");
delete_handler!(DynamicField, tag = "dynamic-fields", one = "/dynamic-fields/{name}");

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, replace, change, delete))
}

/// A dynamic field of tickets.
#[derive(ToSchema)]
#[schema(as = DynamicField)]
#[serde(deny_unknown_fields)]
pub struct DynamicFieldForm {
    /// Unique.
    name: String,
    /// Whether it takes several values.
    multiple: bool,
}
