//! `/articles`: what tickets consist of.

use super::ApiState;
use super::problem::Problem;
use super::raw::raw_mail;
use crate::store::tickets;
use crate::ticket::ArticleDocument;
use axum::extract::{Path, State};
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "tickets";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show)).routes(routes!(raw))
}

async fn find(state: &ApiState, id: i64) -> Result<tickets::Article, Problem> {
    tickets::article(&mut *state.store.read().await?, id).await?.ok_or_else(|| Problem::not_found("article", &id.to_string()))
}

/// Shows an article.
#[utoipa::path(get, path = "/articles/{id}", tag = TAG, params(("id" = i64, Path)), responses((status = 200, body = ArticleDocument)))]
async fn show(State(state): State<ApiState>, Path(id): Path<i64>) -> Result<axum::Json<ArticleDocument>, Problem> {
    Ok(axum::Json(find(&state, id).await?.into()))
}

/// Gives the received bytes, unchanged.
#[utoipa::path(get, path = "/articles/{id}/raw", tag = TAG, params(("id" = i64, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "message/rfc822")))]
async fn raw(State(state): State<ApiState>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let article = find(&state, id).await?;
    Ok(raw_mail(&format!("article-{id}.eml"), state.spool.raw(article.spool_id).await?))
}
