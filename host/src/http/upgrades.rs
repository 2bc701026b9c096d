//! `/filters/{name}/upgrade`, `…/rollback`, `…/history`: which version of its component a filter runs.

use super::ApiState;
use super::auth::Caller;
use super::body::Json;
use super::configured::is_live;
use super::problem::{Kind, Mistake, Problem};
use super::query::Query;
use crate::config::{Place, Upgrade, UpgradeError, Way, Wish, upgrade};
use crate::store::{configuration, filter_components};
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use postigo_model::timestamp::rfc3339;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "filters";
/// So many changes of a filter's component are shown.
const LATEST: i64 = 100;

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

/// A component that a filter ran for a time.
#[derive(Debug, Serialize, ToSchema)]
struct Ran {
    /// As it was shown.
    component: String,
    /// SHA-256 of its bytes, hexadecimal; null for one that ships with Postigo.
    #[schema(required)]
    digest: Option<String>,
    /// RFC 3339, UTC; null where it was not noted.
    #[schema(required)]
    since: Option<String>,
    /// Who made it so; empty where it was not noted.
    actor: String,
}

impl From<UpgradeError> for Problem {
    fn from(error: UpgradeError) -> Self {
        match error {
            UpgradeError::Missing(sentence) => Self::new(Kind::NotFound, sentence),
            UpgradeError::Unsuitable(sentence) => Self::new(Kind::Conflict, sentence),
            UpgradeError::Failing(upgrade) => Self::invalid(upgrade.problems().into_iter().map(|line| Mistake::at("", line)).collect()),
            UpgradeError::Store(error) => error.into(),
        }
    }
}

async fn carry(state: &ApiState, caller: &Caller, wish: Wish<'_>) -> Result<Response, Problem> {
    let actor = caller.actor();
    let place = Place { store: &state.store, key: &state.key, sandbox: state.live.sandbox(), asker: caller.asker(), actor: &actor };
    let upgrade = upgrade(place, wish).await?;
    let live = !upgrade.changed || is_live(state, upgrade.version).await;
    Ok((if live { StatusCode::OK } else { StatusCode::ACCEPTED }, axum::Json(upgrade)).into_response())
}

/// Shows what an upgrade would change, and configures every filter with the other version; nothing is changed.
#[utoipa::path(get, path = "/filters/{name}/upgrade", tag = TAG, params(("name" = String, Path), CheckQuery),
    responses((status = 200, body = Upgrade)))]
async fn check(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(query): Query<CheckQuery>,
) -> Result<Response, Problem> {
    let wish = Wish { name: &name, way: Way::To(query.to.as_deref()), only: query.only, check: true };
    carry(&state, &caller, wish).await
}

/// Upgrades the filters of a component to another version of it: all that use it, or none where one cannot run with it. Grants stay what
/// they are.
#[utoipa::path(post, path = "/filters/{name}/upgrade", tag = TAG, params(("name" = String, Path)), request_body = UpgradeBody,
    responses((status = 200, body = Upgrade), (status = 202, body = Upgrade, description = "Saved, not in force yet")))]
async fn carry_out(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(body): Json<UpgradeBody>,
) -> Result<Response, Problem> {
    carry(&state, &caller, Wish { name: &name, way: Way::To(body.to.as_deref()), only: body.only, check: body.check }).await
}

/// Goes back to what the filter, and those that came along with it, had before the latest change of their component.
#[utoipa::path(post, path = "/filters/{name}/rollback", tag = TAG, params(("name" = String, Path)), request_body = RollbackBody,
    responses((status = 200, body = Upgrade), (status = 202, body = Upgrade, description = "Saved, not in force yet")))]
async fn rollback(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(body): Json<RollbackBody>,
) -> Result<Response, Problem> {
    carry(&state, &caller, Wish { name: &name, way: Way::Back, only: body.only, check: body.check }).await
}

/// Shows which components a filter ran, since when, and who made it so.
#[utoipa::path(get, path = "/filters/{name}/history", tag = TAG, params(("name" = String, Path)), responses((status = 200, body = History)))]
async fn history(State(state): State<ApiState>, Path(name): Path<String>) -> Result<axum::Json<History>, Problem> {
    let configuration = configuration::load(&state.store, &state.key).await?;
    if !configuration.filters.contains_key(&name) {
        return Err(Problem::not_found("filter", &name));
    }
    let items = filter_components::of(&state.store, &name, LATEST).await?.into_iter().map(|past| Ran {
        component: past.made.component,
        digest: past.made.digest,
        since: (past.since > 0).then(|| rfc3339(past.since)),
        actor: past.actor,
    });
    Ok(axum::Json(History { items: items.collect() }))
}
