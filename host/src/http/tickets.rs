//! `/tickets`: what was filed.

use super::ApiState;
use super::auth::Caller;
use super::body::Json;
use super::page::{Page, PageQuery, SEARCHED_WITHIN};
use super::problem::Problem;
use super::query::{Query, time};
use crate::service::tickets::{self, TicketDocument, TicketWithArticles};
use crate::store::tickets::TicketFilter;
use axum::extract::{Extension, Path, State};
use postigo_model::ticket::TicketEdit;
use postigo_model::timestamp;
use serde::{Deserialize, Deserializer};
use std::str::FromStr;
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
    /// Changed at or after this time, RFC 3339; the list then goes from the first change to the last.
    #[param(format = DateTime)]
    changed_since: Option<String>,
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
        Self {
            state: change.state,
            queue: change.queue,
            owner: change.owner,
            lock: change.lock,
            merge_into: change.merge_into,
        }
    }
}

/// A ticket's place in the order of changes, as a cursor has it.
struct ChangePlace {
    changed_at: i64,
    number: String,
}

impl FromStr for ChangePlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (changed_at, number) = text.split_once(' ').ok_or(())?;
        Ok(Self { changed_at: timestamp::parse(changed_at).ok_or(())?, number: number.to_owned() })
    }
}

/// Lists tickets, newest first; with `changed_since` in the order of their last changes.
#[utoipa::path(get, path = "/tickets", tag = TAG, params(TicketQuery), responses((status = 200, body = Page<TicketDocument>)))]
async fn list(
    State(state): State<ApiState>,
    Query(query): Query<TicketQuery>,
) -> Result<Page<TicketDocument>, Problem> {
    let TicketQuery { queue, state: of_state, owner, lock, customer_user, search, changed_since, limit, cursor } =
        query;
    let page = PageQuery { limit, cursor };
    let changed_since = time("changed_since", changed_since)?;
    let filter = TicketFilter {
        queue,
        state: of_state,
        owner,
        lock,
        customer_user,
        search,
        changed_since,
        ..TicketFilter::default()
    };
    if changed_since.is_some() {
        let place = |ticket: &TicketDocument| format!("{} {}", ticket.changed_at, ticket.ticket_number);
        let read = |past: Option<ChangePlace>, limit| {
            let past = past.map(|ChangePlace { changed_at, number }| (changed_at, number));
            tickets::list(&state.store, &state.key, TicketFilter { past, limit, ..filter })
        };
        return page.read(place, read).await;
    }
    let limit = page.limit()?;
    let filter = TicketFilter { before: page.after()?, limit: i64::from(limit) + 1, ..filter };
    let (rows, searched_to) = tickets::page(&state.store, &state.key, filter, SEARCHED_WITHIN).await?;
    let page = Page::of(rows, limit, |ticket| ticket.ticket_id.to_string(), |ticket| ticket);
    Ok(match searched_to {
        Some(to) => page.searched_until(&to.id, to.created_at),
        None => page,
    })
}

/// Shows a ticket with its articles, and what people changed of it.
#[utoipa::path(get, path = "/tickets/{number}", tag = TAG, params(("number" = String, Path)), responses((status = 200, body = TicketWithArticles)))]
async fn show(
    State(state): State<ApiState>,
    Path(number): Path<String>,
) -> Result<axum::Json<TicketWithArticles>, Problem> {
    Ok(axum::Json(tickets::show(&state.store, &number).await?))
}

/// Changes state, queue, owner or lock of a ticket, or merges it into another; all of it or nothing. The ticket shows who
/// changed what.
#[utoipa::path(patch, path = "/tickets/{number}", tag = TAG, params(("number" = String, Path)), request_body = TicketChange,
    responses((status = 200, body = TicketDocument)))]
async fn change(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    Json(change): Json<TicketChange>,
) -> Result<axum::Json<TicketDocument>, Problem> {
    Ok(axum::Json(tickets::edit(&state.store, &state.key, number, change.into(), &caller.actor()).await?))
}
