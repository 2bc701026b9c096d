//! `/filters/{name}/upgrade`, `…/rollback`, `…/history`: which version of its component a filter runs.

use super::ApiState;
use super::auth::Caller;
use super::body::Json;
use super::configured;
use super::problem::Problem;
use super::query::Query;
use crate::service::filters::{self, Ran};
use crate::service::in_force;
use crate::service::upgrades::{MoveDirection, UpgradeDocument, Wish, upgrade};
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "filters";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(check, carry_out)).routes(routes!(rollback)).routes(routes!(history))
}

/// What is to be checked.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CheckQuery {
    /// A version of the filter's component, activated or not; the newest that is activated if left out.
    to: Option<String>,
    /// Only this filter, and not all that use the same component in the same version.
    #[serde(default)]
    only: bool,
}

/// What is to be upgraded.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct UpgradeBody {
    /// A version of the filter's component; the newest that is activated if left out.
    to: Option<String>,
    /// Only this filter, and not all that use the same component in the same version.
    only: bool,
    /// Show and try everything, change nothing.
    check: bool,
}

/// What is to go back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct RollbackBody {
    /// Only this filter, and not all that came from the same component in the same version.
    only: bool,
    /// Show and try everything, change nothing.
    check: bool,
}

/// What a filter ran.
#[derive(Debug, Serialize, ToSchema)]
struct History {
    /// The latest first, at most 100; the first is what it runs.
    items: Vec<Ran>,
}

async fn carry(state: &ApiState, caller: &Caller, wish: Wish<'_>) -> Result<Response, Problem> {
    let actor = caller.actor();
    let mut upgrade = upgrade(configured::editor(state, caller, &actor).place, wish).await?;
    let mut status = StatusCode::OK;
    if upgrade.changed {
        let not_yet = in_force::take_up(&state.live).await;
        if !not_yet.is_nobody() {
            (status, upgrade.behind) = (StatusCode::ACCEPTED, not_yet.hosts);
        }
    }
    Ok((status, axum::Json(upgrade)).into_response())
}

/// Shows what an upgrade would change, and configures every filter with the other version; nothing is changed.
#[utoipa::path(get, path = "/filters/{name}/upgrade", tag = TAG, params(("name" = String, Path), CheckQuery),
    responses((status = 200, body = UpgradeDocument)))]
async fn check(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(query): Query<CheckQuery>,
) -> Result<Response, Problem> {
    let wish = Wish { name: &name, way: MoveDirection::To(query.to.as_deref()), only: query.only, check: true };
    carry(&state, &caller, wish).await
}

/// Upgrades the filters of a component to another version of it: all that use it, or none where one cannot run with it.
/// Grants stay what they are.
#[utoipa::path(post, path = "/filters/{name}/upgrade", tag = TAG, params(("name" = String, Path)), request_body = UpgradeBody,
    responses((status = 200, body = UpgradeDocument), (status = 202, body = UpgradeDocument, description = "Saved, not in force yet")))]
async fn carry_out(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(body): Json<UpgradeBody>,
) -> Result<Response, Problem> {
    carry(
        &state,
        &caller,
        Wish { name: &name, way: MoveDirection::To(body.to.as_deref()), only: body.only, check: body.check },
    )
    .await
}

/// Goes back to what the filter, and those that came along with it, had before the latest change of their component.
#[utoipa::path(post, path = "/filters/{name}/rollback", tag = TAG, params(("name" = String, Path)), request_body = RollbackBody,
    responses((status = 200, body = UpgradeDocument), (status = 202, body = UpgradeDocument, description = "Saved, not in force yet")))]
async fn rollback(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(body): Json<RollbackBody>,
) -> Result<Response, Problem> {
    carry(&state, &caller, Wish { name: &name, way: MoveDirection::Back, only: body.only, check: body.check }).await
}

/// Shows which components a filter ran, since when, and who made it so.
#[utoipa::path(get, path = "/filters/{name}/history", tag = TAG, params(("name" = String, Path)), responses((status = 200, body = History)))]
async fn history(State(state): State<ApiState>, Path(name): Path<String>) -> Result<axum::Json<History>, Problem> {
    Ok(axum::Json(History { items: filters::history(&state.store, &state.key, &name).await? }))
}
