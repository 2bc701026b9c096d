//! `/messages`: mail handed in over REST goes the same durable way as mail that is fetched.

use super::ApiState;
use super::auth::Caller;
use super::problem::{Kind, Problem};
use super::query::Query;
use super::raw::RawMail;
use super::role::Role;
use crate::store::configuration;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use postigo_model::result::{MessageResult, Status};
use postigo_model::spool::{Arrival, SourceKey};
use postigo_model::timestamp::now;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "messages";
/// So long a client waits for what becomes of its mail; then it is told where to look.
const PATIENCE: Duration = Duration::from_secs(30);
/// Another host may work on the account: the database is asked this often.
const ASKED: Duration = Duration::from_millis(250);

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(submit))
}

/// How a mail is handed in.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SubmitQuery {
    /// The account that it counts as fetched by; `local` if left out. A trusted one is for admins alone.
    account: Option<String>,
}

/// A mail that is stored and on its way.
#[derive(Debug, Serialize, ToSchema)]
struct Accepted {
    /// Its id in the spool.
    id: i64,
}

/// Hands a mail in and waits for what becomes of it: 201, or 200 where this very mail was handed in before. It is durable as soon as
/// there is an answer; 202 says that it is not worked on yet, and where to look.
#[utoipa::path(post, path = "/messages", tag = TAG, params(SubmitQuery),
    request_body(content = Vec<u8>, content_type = "message/rfc822"),
    responses((status = 200, body = MessageResult), (status = 201, body = MessageResult), (status = 202, body = Accepted)))]
async fn submit(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<SubmitQuery>,
    RawMail(mail): RawMail,
) -> Result<Response, Problem> {
    let account = query.account.unwrap_or_else(|| "local".to_owned());
    check(&state, &caller, &account, mail.len()).await?;
    let arrival = Arrival {
        account,
        key: SourceKey::Digest,
        source: format!("rest:{}", caller.token),
        received_at: now(),
        recipients: Vec::new(),
        communication: None,
        raw: mail,
    };
    let taken_in = state.spool.take_in(vec![arrival]).await?;
    let taken_in = taken_in.first().ok_or_else(|| Problem::internal(&"the spool took a message in and did not say so"))?;
    Ok(match wait(&state, taken_in.id()).await? {
        Some(result) if state.spool.told_here(&[*taken_in]).await?.is_empty() => {
            (StatusCode::OK, axum::Json(MessageResult { status: Status::Duplicate, ..result })).into_response()
        }
        Some(result) => (StatusCode::CREATED, axum::Json(result)).into_response(),
        None => {
            let location = format!("{}/spool/{}", super::BASE, taken_in.id());
            (StatusCode::ACCEPTED, [(header::LOCATION, location)], axum::Json(Accepted { id: taken_in.id() })).into_response()
        }
    })
}

async fn check(state: &ApiState, caller: &Caller, name: &str, size: usize) -> Result<(), Problem> {
    let configuration = configuration::load(&state.store, &state.key).await?;
    let account = configuration.accounts.get(name);
    let account = account.ok_or_else(|| Problem::bad_parameter("account", format!("There is no account \"{name}\".")))?;
    if !account.valid.is_valid() {
        return Err(Problem::bad_parameter("account", format!("The account \"{name}\" is not valid.")));
    }
    if account.trusted && caller.role != Role::Admin {
        let sentence = format!("The account \"{name}\" is trusted; only an admin may hand mail in for it.");
        return Err(Problem::new(Kind::Forbidden, sentence));
    }
    let most = configuration.settings.max_message_size;
    if size as u64 > most {
        return Err(Problem::new(Kind::TooLarge, format!("The mail has {size} bytes; the setting `max_message_size` allows {most}.")));
    }
    Ok(())
}

/// What became of a message, once it did.
async fn wait(state: &ApiState, id: i64) -> Result<Option<MessageResult>, Problem> {
    let mut changes = state.spool.changed();
    let end = Instant::now() + PATIENCE;
    loop {
        changes.mark_unchanged();
        if let Some(message) = state.spool.results(&[id]).await?.remove(&id) {
            // A message that was dropped has no result; then it is what the spool says.
            return Ok(message
                .result
                .or_else(|| Some(MessageResult { source: message.source, error: message.reason, ..MessageResult::default() })));
        }
        let now = Instant::now();
        if now >= end {
            return Ok(None);
        }
        // A change, or the time to ask again, whichever comes first.
        let _ = tokio::time::timeout_at(end.min(now + ASKED), changes.changed()).await;
    }
}
