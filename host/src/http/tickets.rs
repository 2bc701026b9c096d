//! `/tickets`: what was filed.

use super::ApiState;
use super::body::Json;
use super::page::{Page, PageQuery};
use super::problem::{Mistake, Problem};
use super::query::Query;
use crate::filing::{self, Change};
use crate::service::tickets::{TicketDocument, TicketWithArticles};
use crate::store::tickets::{self, TicketFilter};
use crate::store::{configuration, outgoing};
use axum::extract::{Path, State};
use postigo_model::ticket::TicketEdit;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "tickets";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, change))
}

/// Which tickets a list has.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TicketQuery {
    /// In this queue.
    queue: Option<String>,
    /// In this state.
    state: Option<String>,
    /// Of this owner.
    owner: Option<String>,
    /// With this lock.
    lock: Option<String>,
    /// Of this customer user.
    customer_user: Option<String>,
    /// With this text in number or title, case ignored.
    search: Option<String>,
    /// Rows of the page, 1 to 500; 50 if left out.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What is to be changed of a ticket; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct TicketChange {
    /// State name.
    #[schema(nullable = false)]
    state: Option<String>,
    /// Queue name.
    #[schema(nullable = false)]
    queue: Option<String>,
    /// Login; null: nobody.
    #[serde(deserialize_with = "nobody_if_null")]
    owner: Option<String>,
    /// `unlock`, `lock`, `tmp_lock`.
    #[schema(nullable = false)]
    lock: Option<String>,
    /// The number of the ticket that stands for this one from now on.
    #[schema(nullable = false)]
    merge_into: Option<String>,
}

/// Null is nobody, which an edit writes as the empty string; what is left out never comes here.
fn nobody_if_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|owner| Some(owner.unwrap_or_default()))
}

impl From<TicketChange> for TicketEdit {
    fn from(change: TicketChange) -> Self {
        Self { state: change.state, queue: change.queue, owner: change.owner, lock: change.lock, merge_into: change.merge_into }
    }
}

/// Lists tickets, newest first.
#[utoipa::path(get, path = "/tickets", tag = TAG, params(TicketQuery), responses((status = 200, body = Page<TicketDocument>)))]
async fn list(State(state): State<ApiState>, Query(query): Query<TicketQuery>) -> Result<axum::Json<Page<TicketDocument>>, Problem> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let limit = page.limit()?;
    let filter = TicketFilter {
        queue: query.queue,
        state: query.state,
        owner: query.owner,
        lock: query.lock,
        customer_user: query.customer_user,
        search: query.search,
        before: page.after()?,
        limit: i64::from(limit) + 1,
    };
    let rows = tickets::list(&mut *state.store.read().await?, &filter).await?;
    Ok(axum::Json(Page::of(rows, limit, |ticket| ticket.id.to_string(), TicketDocument::from)))
}

/// Shows a ticket with its articles.
#[utoipa::path(get, path = "/tickets/{number}", tag = TAG, params(("number" = String, Path)), responses((status = 200, body = TicketWithArticles)))]
async fn show(State(state): State<ApiState>, Path(number): Path<String>) -> Result<axum::Json<TicketWithArticles>, Problem> {
    let mut connection = state.store.read().await?;
    let ticket = tickets::by_number(&mut connection, &number).await?.ok_or_else(|| Problem::not_found("ticket", &number))?;
    let articles = tickets::article_heads(&mut connection, ticket.id).await?;
    let deliveries = outgoing::deliveries_of(&mut connection, ticket.id).await?;
    Ok(axum::Json(TicketWithArticles::new(ticket, articles, deliveries)))
}

/// Changes state, queue, owner or lock of a ticket, or merges it into another; all of it or nothing.
#[utoipa::path(patch, path = "/tickets/{number}", tag = TAG, params(("number" = String, Path)), request_body = TicketChange,
    responses((status = 200, body = TicketDocument)))]
async fn change(
    State(state): State<ApiState>,
    Path(number): Path<String>,
    Json(change): Json<TicketChange>,
) -> Result<axum::Json<TicketDocument>, Problem> {
    let edit = TicketEdit::from(change);
    let configuration = configuration::load(&state.store, &state.key).await?;
    let mistakes = edit.check(&configuration);
    if !mistakes.is_empty() {
        let mistakes = mistakes.into_iter().map(|(field, sentence)| Mistake::at(format!("/{field}"), sentence));
        return Err(Problem::invalid(mistakes.collect()));
    }
    Ok(axum::Json(filing::edit(&state.store, number, Change { edit, configuration }).await?.into()))
}
