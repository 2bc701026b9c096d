//! `/filters/{name}/enable` and `…/disable`: filters run, or do not.

use super::ApiState;
use super::auth::Caller;
use super::configured;
use super::problem::Problem;
use crate::service::configured::Object;
use crate::service::filters;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use postigo_model::configured::{Filter, Validity};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(enable)).routes(routes!(disable))
}

async fn set_validity(state: &ApiState, caller: &Caller, name: &str, valid: Validity) -> Result<Response, Problem> {
    let actor = caller.actor();
    let saved = filters::set_validity(configured::editor(state, caller, &actor), name, valid).await?;
    Ok(configured::answer_thing::<Filter, _>(state, &saved, name, Object::new(), StatusCode::OK).await)
}

/// Lets a filter run.
#[utoipa::path(post, path = "/filters/{name}/enable", tag = "filters", params(("name" = String, Path)),
    responses((status = 200, body = ref("#/components/schemas/Filter")), (status = 202, body = ref("#/components/schemas/Filter"), description = "Saved, not in force yet")))]
async fn enable(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    set_validity(&state, &caller, &name, Validity::Valid).await
}

/// Keeps a filter but does not run it; at once.
#[utoipa::path(post, path = "/filters/{name}/disable", tag = "filters", params(("name" = String, Path)),
    responses((status = 200, body = ref("#/components/schemas/Filter")), (status = 202, body = ref("#/components/schemas/Filter"), description = "Saved, not in force yet")))]
async fn disable(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    set_validity(&state, &caller, &name, Validity::Invalid).await
}
