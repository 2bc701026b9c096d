//! `/feedback`: what agents, or another desk for them, say to be the right label of a mail.

use super::ApiState;
use super::auth::Caller;
use super::body::Json;
use super::page::{Page, PageQuery};
use super::problem::{Problem, no_content};
use super::query::Query;
use crate::service::feedback::{self, FeedbackDocument, KeptFeedback};
use crate::store::feedback::FeedbackFilter;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "classifiers";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, give)).routes(routes!(take_back))
}

/// The right label of a mail.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewFeedback)]
struct FeedbackInput {
    /// The mail's Message-ID, with or without its angle brackets.
    message_id: String,
    /// The question of a classifier: `queue`.
    question: String,
    /// The right label.
    label: String,
}

/// Which feedback a list has.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FeedbackQuery {
    /// About the mail with this Message-ID.
    message_id: Option<String>,
    /// About this question.
    question: Option<String>,
    /// Rows of the page, 1 to 500; 50 if left out.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists what was given, the first given last.
#[utoipa::path(get, path = "/feedback", tag = TAG, params(FeedbackQuery), responses((status = 200, body = Page<FeedbackDocument>)))]
async fn list(
    State(state): State<ApiState>,
    Query(query): Query<FeedbackQuery>,
) -> Result<Page<FeedbackDocument>, Problem> {
    let FeedbackQuery { message_id, question, limit, cursor } = query;
    let page = PageQuery { limit, cursor };
    let page = page.read(
        |row: &FeedbackDocument| row.id.to_string(),
        |before, limit| feedback::list(&state.store, FeedbackFilter { message_id, question, before, limit }),
    );
    page.await
}

/// Keeps the right label of a mail, in the place of what was said before; classifiers learn from it. Said again, it changes
/// nothing, so that it can be sent as often as one likes.
#[utoipa::path(post, path = "/feedback", tag = TAG, request_body = FeedbackInput, responses((status = 200, body = KeptFeedback)))]
async fn give(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Json(input): Json<FeedbackInput>,
) -> Result<axum::Json<KeptFeedback>, Problem> {
    let FeedbackInput { message_id, question, label } = input;
    Ok(axum::Json(feedback::give(&state.store, &message_id, &question, &label, &caller.actor()).await?))
}

/// Takes back what was given.
#[utoipa::path(delete, path = "/feedback/{id}", tag = TAG, params(("id" = i64, Path)), responses((status = 204)))]
async fn take_back(State(state): State<ApiState>, Path(id): Path<i64>) -> Result<Response, Problem> {
    feedback::take_back(&state.store, id).await?;
    Ok(no_content())
}
