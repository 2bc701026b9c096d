//! `/communications`: the communication log.

use super::ApiState;
use super::page::{Page, PageQuery, SEARCHED_WITHIN};
use super::problem::Problem;
use super::query::{Query, time};
use crate::service::communications::{self, CommunicationDocument, CommunicationSummary, OverviewDocument};
use crate::store::communications::{LogFilter, LogSort};
use axum::extract::{Path, State};
use postigo_model::communication::{CommunicationKind, CommunicationStatus, Direction, Priority};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "communications";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(overview)).routes(routes!(show))
}

/// Which communications a list has.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LogQuery {
    /// Started at or after this time, RFC 3339.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Started before this time, RFC 3339.
    #[param(format = DateTime)]
    until: Option<String>,
    /// Of the account, or going out the transport, of this name.
    account: Option<String>,
    /// That go this way.
    direction: Option<Direction>,
    /// Of this kind: connections, or messages.
    kind: Option<CommunicationKind>,
    /// Of the mails of the ticket with this number, and of answers to them.
    ticket: Option<String>,
    /// Of the mails that the filter of this name matched, or failed on.
    filter: Option<String>,
    /// Of the messages that the connection with this id brought.
    parent: Option<String>,
    /// With this status.
    status: Option<CommunicationStatus>,
    /// Whose highest priority is this or above.
    priority: Option<Priority>,
    /// With this text in addresses, subject, Message-ID or account, case ignored.
    search: Option<String>,
    /// `newest` (if left out), `oldest`, `duration`, `account`, `status`, `priority`.
    sort: Option<String>,
    /// In the opposite order.
    reverse: Option<bool>,
    /// Rows of the page, 1 to 500; 50 if left out.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The span of time of an overview.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SpanQuery {
    /// Started at or after this time, RFC 3339.
    #[param(format = DateTime)]
    since: Option<String>,
    /// Started before this time, RFC 3339.
    #[param(format = DateTime)]
    until: Option<String>,
}

/// How much of a communication is shown.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DetailQuery {
    /// Only entries of this priority and above.
    priority: Option<Priority>,
}

/// Lists communications. A page of the newest or oldest is answered within a moment: where that is not enough to look
/// through all of the log, `searched_until` says how far it came, and `next_cursor` goes on there. In another order all
/// that `since` and `until` leave are looked at for each page.
#[utoipa::path(get, path = "/communications", tag = TAG, params(LogQuery), responses((status = 200, body = Page<CommunicationSummary>)))]
async fn list(
    State(state): State<ApiState>,
    Query(query): Query<LogQuery>,
) -> Result<Page<CommunicationSummary>, Problem> {
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let limit = page.limit()?;
    let sort = query.sort.as_deref().unwrap_or("newest").parse::<LogSort>();
    let sort = sort.map_err(|sentence| Problem::bad_parameter("sort", sentence))?;
    let filter = LogFilter {
        since: time("since", query.since)?,
        until: time("until", query.until)?,
        account: query.account,
        direction: query.direction,
        kind: query.kind,
        ticket: query.ticket,
        filter: query.filter,
        parent: query.parent,
        status: query.status,
        priority: query.priority,
        search: query.search,
        sort,
        reverse: query.reverse.unwrap_or_default(),
        past: page.place(|text| sort.place(text))?,
        limit: i64::from(limit) + 1,
    };
    let found = communications::list(&state.store, &state.key, filter, SEARCHED_WITHIN).await?;
    let page = Page::of(found.rows, limit, |(place, _)| place.to_string(), |(_, row)| row);
    Ok(match found.searched_to {
        Some(place) => page.searched_until(&place, place.started_at()),
        None => page,
    })
}

/// The four figures: account status, communication status, what is active, mean processing time.
#[utoipa::path(get, path = "/communications/overview", tag = TAG, params(SpanQuery), responses((status = 200, body = OverviewDocument)))]
async fn overview(
    State(state): State<ApiState>,
    Query(query): Query<SpanQuery>,
) -> Result<axum::Json<OverviewDocument>, Problem> {
    let (since, until) = (time("since", query.since)?, time("until", query.until)?);
    Ok(axum::Json(communications::overview(&state.store, since, until).await?))
}

/// Shows a communication with its entries, and the connection or the messages that belong to it.
#[utoipa::path(get, path = "/communications/{id}", tag = TAG, params(("id" = String, Path), DetailQuery),
    responses((status = 200, body = CommunicationDocument)))]
async fn show(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    Query(query): Query<DetailQuery>,
) -> Result<axum::Json<CommunicationDocument>, Problem> {
    Ok(axum::Json(communications::show(&state.store, &id, query.priority.unwrap_or_default()).await?))
}
