//! `/jobs`: what takes long, and how far it has come; and `/chain/replay`, which asks for one.

use super::ApiState;
use super::auth::Caller;
use super::body::Json;
use super::configured::editor;
use super::page::{Page, PageQuery};
use super::problem::Problem;
use super::query::Query;
use super::role::Role;
use crate::service::jobs::{self, JobDocument};
use crate::store::jobs::JobFilter;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use postigo_model::job::{JobStatus, ReplayOrder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "jobs";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(cancel)).routes(routes!(replay))
}

/// Which jobs a list has.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct JobQuery {
    /// With this status.
    status: Option<JobStatus>,
    /// Of this kind: `replay`.
    kind: Option<String>,
    /// Rows of the page, 1 to 500; 50 if left out.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists jobs, the last asked for first, without their results.
#[utoipa::path(get, path = "/jobs", tag = TAG, params(JobQuery), responses((status = 200, body = Page<JobDocument>)))]
async fn list(State(state): State<ApiState>, Query(query): Query<JobQuery>) -> Result<Page<JobDocument>, Problem> {
    let JobQuery { status, kind, limit, cursor } = query;
    let status = status.into_iter().collect();
    let page = PageQuery { limit, cursor };
    let page = page.read(
        |job: &JobDocument| job.id.to_string(),
        |after, limit| jobs::list(&state.store, JobFilter { status, kind, after, limit }),
    );
    page.await
}

/// Shows a job, with its result.
#[utoipa::path(get, path = "/jobs/{id}", tag = TAG, params(("id" = i64, Path)), responses((status = 200, body = JobDocument)))]
async fn show(State(state): State<ApiState>, Path(id): Path<i64>) -> Result<axum::Json<JobDocument>, Problem> {
    Ok(axum::Json(jobs::show(&state.store, id).await?))
}

/// Has a job end: one that waits at once, one that runs within a second. An author ends their own, an admin any.
#[utoipa::path(post, path = "/jobs/{id}/cancel", tag = TAG, params(("id" = i64, Path)), responses((status = 200, body = JobDocument)))]
async fn cancel(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<i64>,
) -> Result<axum::Json<JobDocument>, Problem> {
    let actor = caller.actor();
    jobs::cancel(&state.store, vec![id], (caller.role != Role::Admin).then_some(&actor)).await?;
    Ok(axum::Json(jobs::show(&state.store, id).await?))
}

/// Which mails are replayed, and with which filters.
// Written as well, since the defaults in the OpenAPI document are made so.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Replay)]
struct ReplayRequest {
    /// Received at or after this time, RFC 3339.
    #[schema(format = DateTime, nullable = false)]
    since: Option<String>,
    /// Received before this time, RFC 3339.
    #[schema(format = DateTime, nullable = false)]
    until: Option<String>,
    /// Of this account.
    #[schema(nullable = false)]
    account: Option<String>,
    /// That went into this queue.
    #[schema(nullable = false)]
    queue: Option<String>,
    /// So many mails at most, the latest first; 1 to 1,000,000.
    limit: i64,
    /// The filters that run, by name, whether valid or not; empty: all that are valid.
    only: Vec<String>,
    /// Filters as `POST /filters` takes them, in the place of those of the same name, or new ones. They are checked as
    /// if they were saved.
    #[schema(value_type = Vec<Object>)]
    filters: Vec<Value>,
}

impl Default for ReplayRequest {
    fn default() -> Self {
        let ReplayOrder { since, until, account, queue, limit: _, only, filters } = ReplayOrder::default();
        Self { since, until, account, queue, limit: jobs::USUAL_REPLAY, only, filters }
    }
}

/// Asks for a replay: stored mails go through the chain as it is now, or as it would be with other filters, and it is
/// told which would become something else than they did. Nothing is changed. The job is at the address of `Location`.
#[utoipa::path(post, path = "/chain/replay", tag = TAG, request_body = ReplayRequest,
    responses((status = 202, body = JobDocument, description = "The job, which waits")))]
async fn replay(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Json(asked): Json<ReplayRequest>,
) -> Result<Response, Problem> {
    let ReplayRequest { since, until, account, queue, limit, only, filters } = asked;
    let order = ReplayOrder { since, until, account, queue, limit, only, filters };
    let actor = caller.actor();
    let id = jobs::replay(editor(&state, &caller, &actor), order).await?;
    accepted(&state, id).await
}

/// Says where the job is that was asked for.
async fn accepted(state: &ApiState, id: i64) -> Result<Response, Problem> {
    let job = jobs::show(&state.store, id).await?;
    let location = format!("{}/jobs/{id}", super::BASE);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], axum::Json(job)).into_response())
}
