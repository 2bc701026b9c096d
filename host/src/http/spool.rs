//! `/spool`: messages that wait, are held, failed or were ignored.

use super::ApiState;
use super::auth::Caller;
use super::page::{Page, PageQuery};
use super::problem::{Problem, no_content};
use super::query::Query;
use super::raw::raw_mail;
use crate::service::messages::{self, SpoolDocument};
use crate::spool::MessageFilter;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use postigo_model::spool::SpoolStatus;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "spool";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, drop_message))
        .routes(routes!(raw))
        .routes(routes!(release))
}

/// Which messages a list has.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SpoolQuery {
    /// With this status; left out: those that wait, are worked on, are held, failed or were ignored.
    status: Option<SpoolStatus>,
    /// Of this account.
    account: Option<String>,
    /// Rows of the page, 1 to 500; 50 if left out.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists messages in the order of their arrival.
#[utoipa::path(get, path = "/spool", tag = TAG, params(SpoolQuery), responses((status = 200, body = Page<SpoolDocument>)))]
async fn list(State(state): State<ApiState>, Query(query): Query<SpoolQuery>) -> Result<Page<SpoolDocument>, Problem> {
    let SpoolQuery { status, account, limit, cursor } = query;
    let status = status.into_iter().collect();
    let page = PageQuery { limit, cursor };
    let page = page.read(
        |message: &SpoolDocument| message.id.to_string(),
        |after, limit| messages::list(&state.spool, &state.key, MessageFilter { status, account, after, limit }),
    );
    page.await
}

/// Shows a message, with what became of it.
#[utoipa::path(get, path = "/spool/{id}", tag = TAG, params(("id" = i64, Path)), responses((status = 200, body = SpoolDocument)))]
async fn show(State(state): State<ApiState>, Path(id): Path<i64>) -> Result<axum::Json<SpoolDocument>, Problem> {
    Ok(axum::Json(messages::show(&state.spool, id).await?))
}

/// Gives the received bytes, unchanged.
#[utoipa::path(get, path = "/spool/{id}/raw", tag = TAG, params(("id" = i64, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "message/rfc822")))]
async fn raw(State(state): State<ApiState>, Path(id): Path<i64>) -> Result<Response, Problem> {
    Ok(raw_mail(&format!("message-{id}.eml"), messages::raw(&state.spool, id).await?))
}

/// Sends a held, failed or ignored message the whole way again.
#[utoipa::path(post, path = "/spool/{id}/release", tag = TAG, params(("id" = i64, Path)), responses((status = 200, body = SpoolDocument)))]
async fn release(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<i64>,
) -> Result<axum::Json<SpoolDocument>, Problem> {
    messages::release(&state.spool, vec![id], &caller.actor()).await?;
    Ok(axum::Json(messages::show(&state.spool, id).await?))
}

/// Drops a message with its bytes.
#[utoipa::path(delete, path = "/spool/{id}", tag = TAG, params(("id" = i64, Path)), responses((status = 204)))]
async fn drop_message(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    messages::drop(&state.spool, vec![id], &caller.actor()).await?;
    Ok(no_content())
}
