//! `/outbound`: the outgoing queue.

use super::ApiState;
use super::auth::Caller;
use super::page::{Page, PageQuery};
use super::problem::Problem;
use super::query::Query;
use super::raw::raw_mail;
use crate::service::outgoing::{self, OutgoingDocument, OutgoingWithDeliveries};
use crate::store::outgoing::OutgoingFilter;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use postigo_model::outgoing::OutgoingStatus;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "outbound";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(raw))
        .routes(routes!(retry))
        .routes(routes!(cancel))
}

/// Which mails a list has.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OutboundQuery {
    /// With this status; left out: all that are neither sent nor cancelled.
    status: Option<OutgoingStatus>,
    /// Rows of the page, 1 to 500; 50 if left out.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists outgoing mails in the order in which they were decided.
#[utoipa::path(get, path = "/outbound", tag = TAG, params(OutboundQuery), responses((status = 200, body = Page<OutgoingDocument>)))]
async fn list(
    State(state): State<ApiState>,
    Query(query): Query<OutboundQuery>,
) -> Result<Page<OutgoingDocument>, Problem> {
    let OutboundQuery { status, limit, cursor } = query;
    let status = status.into_iter().collect();
    let page = PageQuery { limit, cursor };
    let page = page.read(
        |mail: &OutgoingDocument| mail.id.to_string(),
        |after, limit| outgoing::list(&state.store, OutgoingFilter { status, after, limit }),
    );
    page.await
}

/// Shows an outgoing mail, with what became of it for each recipient.
#[utoipa::path(get, path = "/outbound/{id}", tag = TAG, params(("id" = i64, Path)), responses((status = 200, body = OutgoingWithDeliveries)))]
async fn show(
    State(state): State<ApiState>,
    Path(id): Path<i64>,
) -> Result<axum::Json<OutgoingWithDeliveries>, Problem> {
    Ok(axum::Json(outgoing::show(&state.store, id).await?))
}

/// Gives the bytes that are sent.
#[utoipa::path(get, path = "/outbound/{id}/raw", tag = TAG, params(("id" = i64, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "message/rfc822")))]
async fn raw(State(state): State<ApiState>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let raw = outgoing::raw(&state.store, id).await?;
    Ok(raw_mail(&format!("outgoing-{id}.eml"), raw))
}

/// Has a mail tried at once that waits, was given up, is uncertain or was cancelled; for the recipients that it did not
/// reach.
#[utoipa::path(post, path = "/outbound/{id}/retry", tag = TAG, params(("id" = i64, Path)), responses((status = 200, body = OutgoingWithDeliveries)))]
async fn retry(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<i64>,
) -> Result<axum::Json<OutgoingWithDeliveries>, Problem> {
    outgoing::retry(&state.store, vec![id], &caller.actor()).await?;
    Ok(axum::Json(outgoing::show(&state.store, id).await?))
}

/// Ends a mail that is due or waits: it is not sent.
#[utoipa::path(post, path = "/outbound/{id}/cancel", tag = TAG, params(("id" = i64, Path)), responses((status = 200, body = OutgoingWithDeliveries)))]
async fn cancel(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<i64>,
) -> Result<axum::Json<OutgoingWithDeliveries>, Problem> {
    outgoing::cancel(&state.store, vec![id], &caller.actor()).await?;
    Ok(axum::Json(outgoing::show(&state.store, id).await?))
}
