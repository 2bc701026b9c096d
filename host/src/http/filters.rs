//! `/filters`: postmaster filters, run in byte order of their names.

#![allow(dead_code, reason = "the shape is described here; postigo_model::configured::form makes it")]

use super::ApiState;
use super::auth::Caller;
use super::configured;
use super::forms::ValidityForm;
use super::handlers::{delete_handler, handlers};
use super::problem::Problem;
use crate::service::filters;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use postigo_model::configured::{FailurePolicy, Filter, Validity};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

handlers!(Filter, FilterForm, tag = "filters", all = "/filters", one = "/filters/{name}");
delete_handler!(Filter, tag = "filters", one = "/filters/{name}");

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(show, replace, change, delete))
        .routes(routes!(enable))
        .routes(routes!(disable))
}

async fn set_validity(state: &ApiState, caller: &Caller, name: &str, valid: Validity) -> Result<Response, Problem> {
    let actor = caller.actor();
    let saved = filters::set_validity(configured::editor(state, caller, &actor), name, valid).await?;
    Ok(configured::answer_saved(state, &saved, saved.object::<Filter>(name), StatusCode::OK).await)
}

/// Lets a filter run.
#[utoipa::path(post, path = "/filters/{name}/enable", tag = "filters", params(("name" = String, Path)),
    responses((status = 200, body = FilterForm), (status = 202, body = FilterForm, description = "Saved, not in force yet")))]
async fn enable(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    set_validity(&state, &caller, &name, Validity::Valid).await
}

/// Keeps a filter but does not run it; at once.
#[utoipa::path(post, path = "/filters/{name}/disable", tag = "filters", params(("name" = String, Path)),
    responses((status = 200, body = FilterForm), (status = 202, body = FilterForm, description = "Saved, not in force yet")))]
async fn disable(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    set_validity(&state, &caller, &name, Validity::Invalid).await
}

/// A postmaster filter.
#[derive(ToSchema)]
#[schema(as = Filter)]
#[serde(deny_unknown_fields)]
pub struct FilterForm {
    /// Unique; filters run in byte order of their names.
    name: String,
    /// A shipped component by its name; an uploaded one as `name@version`, or its digest as `sha256:DIGEST`. In a body a name alone means the
    /// newest version that is activated, or what the filter has already.
    component: String,
    /// Whether a match ends the chain.
    stop_after_match: bool,
    /// What a failure does.
    on_failure: FailurePolicy,
    /// In use?
    valid: ValidityForm,
    /// For admins.
    comment: String,
    /// Null: a shipped component has what it asks for, an uploaded one nothing.
    #[schema(required)]
    grants: Option<Vec<Grant>>,
    /// What a call may take.
    limits: LimitsForm,
    /// What the component's schema says.
    #[schema(value_type = Object)]
    settings: serde_json::Value,
}

/// What a filter may read beside headers.
#[derive(ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    /// Text and HTML.
    Body,
    /// Attachments.
    Attachments,
    /// The received bytes.
    Raw,
}

/// What a call of a filter may take.
#[derive(ToSchema)]
#[schema(as = Limits)]
#[serde(deny_unknown_fields)]
pub struct LimitsForm {
    /// The filter's own time in a call, without what the host does for it: a duration, `250ms`.
    time: String,
    /// Memory of the instance, a size: `64 MiB`.
    memory: String,
}
