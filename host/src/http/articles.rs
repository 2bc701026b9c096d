//! `/articles`: what tickets consist of.

use super::ApiState;
use super::problem::{Kind, Problem};
use super::raw::raw_mail;
use crate::answer;
use crate::service::tickets::ArticleDocument;
use crate::store::{outgoing, tickets};
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
    let article = find(&state, id).await?;
    let deliveries = outgoing::deliveries(&mut *state.store.read().await?, article.outgoing_id).await?;
    Ok(axum::Json(ArticleDocument::new(article, deliveries)))
}

/// Gives the bytes that were received or sent, unchanged. A note has none.
#[utoipa::path(get, path = "/articles/{id}/raw", tag = TAG, params(("id" = i64, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "message/rfc822")))]
async fn raw(State(state): State<ApiState>, Path(id): Path<i64>) -> Result<Response, Problem> {
    let article = find(&state, id).await?;
    let raw = answer::raw(&state.spool, &article).await?;
    let raw = raw.ok_or_else(|| Problem::new(Kind::NotFound, format!("Article {id} is a note: it was never a mail.")))?;
    Ok(raw_mail(&format!("article-{id}.eml"), raw))
}
