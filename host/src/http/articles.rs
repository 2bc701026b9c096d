//! `/articles`: what tickets consist of.

use super::ApiState;
use super::problem::Problem;
use super::raw::raw_mail;
use crate::service::tickets::{self, ArticleDocument};
use axum::extract::{Path, State};
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "tickets";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(raw))
}

/// Shows an article.
#[utoipa::path(get, path = "/articles/{id}", tag = TAG, params(("id" = i64, Path)), responses((status = 200, body = ArticleDocument)))]
async fn show(State(state): State<ApiState>, Path(id): Path<i64>) -> Result<axum::Json<ArticleDocument>, Problem> {
    Ok(axum::Json(tickets::article(&state.store, id).await?))
}

/// Gives the bytes that were received or sent, unchanged. A note has none.
#[utoipa::path(get, path = "/articles/{id}/raw", tag = TAG, params(("id" = i64, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "message/rfc822")))]
async fn raw(State(state): State<ApiState>, Path(id): Path<i64>) -> Result<Response, Problem> {
    Ok(raw_mail(&format!("article-{id}.eml"), tickets::article_raw(&state.spool, id).await?))
}
