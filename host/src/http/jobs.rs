//! `/jobs`: what takes long, and how far it has come; and `/chain/replay` and `/communications/export`, which ask for it.

use super::ApiState;
use super::auth::Caller;
use super::body::Json;
use super::configured::editor;
use super::page::{Page, PageQuery};
use super::problem::{Problem, ProblemKind};
use super::query::Query;
use super::role::Role;
use crate::jobs::{check_kind, exports};
use crate::service::jobs::{self, JobDocument};
use crate::store::jobs::JobFilter;
use crate::worker::WorkLock;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use postigo_model::job::{JobStatus, LogExportOrder, ReplayOrder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "jobs";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(cancel))
        .routes(routes!(file))
        .routes(routes!(replay))
        .routes(routes!(export))
}

/// Which jobs a list has.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct JobQuery {
    /// With this status.
    status: Option<JobStatus>,
    /// Of this kind: `replay`, `log-export`, `classifier-training`.
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
    kind.as_deref().map_or(Ok(()), check_kind).map_err(|sentence| Problem::bad_parameter("kind", sentence))?;
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
    let job = jobs::show(&state.store, id).await?;
    // One that waited may have begun its file here; whoever runs one removes it.
    if job.status == JobStatus::Cancelled {
        exports::discard(state.spool.data(), id).await;
    }
    Ok(axum::Json(job))
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
    /// So many mails are tried at most, the latest first; 1 to 1,000,000. At most 1,000,000 messages are looked at for them.
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

/// Which communications are exported.
// Written as well, since the defaults in the OpenAPI document are made so.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = LogExport)]
struct ExportRequest {
    /// Started at or after this time, RFC 3339.
    #[schema(format = DateTime, nullable = false)]
    since: Option<String>,
    /// Started before this time, RFC 3339.
    #[schema(format = DateTime, nullable = false)]
    until: Option<String>,
    /// Of the account, or going out the transport, of this name.
    #[schema(nullable = false)]
    account: Option<String>,
    /// Whether with their entries.
    entries: bool,
}

/// Asks for an export of the communication log: communications as JSON lines, in a file of the host that writes it. The
/// job is at the address of `Location`.
#[utoipa::path(post, path = "/communications/export", tag = "communications", request_body = ExportRequest,
    responses((status = 202, body = JobDocument, description = "The job, which waits")))]
async fn export(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Json(asked): Json<ExportRequest>,
) -> Result<Response, Problem> {
    let ExportRequest { since, until, account, entries } = asked;
    let order = LogExportOrder { since, until, account, entries };
    let id = jobs::export_log(&state.store, &state.key, order, &caller.actor()).await?;
    accepted(&state, id).await
}

/// Gives the file that a job has made, on the host that has it; another one says which that is.
#[utoipa::path(get, path = "/jobs/{id}/file", tag = TAG, params(("id" = i64, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/jsonl")))]
async fn file(State(state): State<ApiState>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let data = state.spool.data();
    jobs::has_file_on(&state.store, id, WorkLock::folder_id(data).as_deref()).await?;
    let path = exports::path(data, id);
    let gone = |error: std::io::Error| {
        tracing::warn!(job = id, %error, "the file of a job cannot be read");
        Problem::new(
            ProblemKind::NotFound,
            format!("The file of the job {id} is not in the data folder's `exports` any more."),
        )
    };
    let file = tokio::fs::File::open(path).await.map_err(gone)?;
    let length = file.metadata().await.map_err(gone)?.len();
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", exports::name(id))),
    ];
    Ok((headers, body(file)).into_response())
}

/// So many bytes of a file are read at once.
const PIECE: usize = 64 << 10;

/// A file as the body of an answer, piece by piece.
fn body(file: tokio::fs::File) -> Body {
    Body::from_stream(stream::try_unfold(file, async |mut file| {
        let mut piece = vec![0; PIECE];
        let length = file.read(&mut piece).await?;
        piece.truncate(length);
        Ok::<_, std::io::Error>((length > 0).then_some((Bytes::from(piece), file)))
    }))
}

/// Says where the job is that was asked for.
pub(super) async fn accepted(state: &ApiState, id: i64) -> Result<Response, Problem> {
    let job = jobs::show(&state.store, id).await?;
    let location = format!("{}/jobs/{id}", super::BASE);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], axum::Json(job)).into_response())
}
