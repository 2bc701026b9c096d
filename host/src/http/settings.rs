//! `/settings`: the general settings.

#![allow(dead_code, reason = "the shape is described here; postigo_model::configured::form makes it")]

use super::ApiState;
use super::auth::Caller;
use super::body::Json;
use super::configured;
use super::problem::{Mistake, Problem};
use crate::service::configured::load;
use crate::service::settings;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use postigo_model::configured::{FollowUpCheck, NumberGenerator, Oversize, Retry, UnvouchedNumbers};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "settings";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(show, change))
}

/// The general settings.
#[derive(ToSchema)]
#[schema(as = Settings)]
#[serde(deny_unknown_fields)]
pub struct SettingsForm {
    /// Queue where nothing else decides.
    default_queue: String,
    /// `Ticket#`.
    ticket_hook: String,
    /// Between hook and number.
    ticket_hook_divider: String,
    /// How ticket numbers are made.
    number_generator: NumberGenerator,
    /// Between two fetches of an account that names no interval; a duration: `10m`.
    poll_interval: String,
    /// They always run in the order of this list's values.
    follow_up_checks: Vec<FollowUpCheck>,
    /// What becomes of mails that name a ticket by its number and that nobody vouches for.
    unvouched_numbers: UnvouchedNumbers,
    /// Ticket types; the first is the default.
    types: Vec<String>,
    /// Services.
    services: Vec<String>,
    /// Service level agreements.
    slas: Vec<String>,
    /// Logins of agents.
    agents: Vec<String>,
    /// A size: `32 MiB`.
    max_message_size: String,
    /// What becomes of larger ones.
    oversize: Oversize,
    /// So many messages may wait in the spool; beyond, listeners take no more for now. 0: no limit.
    spool_limit: u32,
    /// A dynamic field; empty: off.
    external_number_field: String,
    /// How long communications are kept.
    log_retention: LogRetentionForm,
    /// How long received bytes are kept, a duration; `0s`: as long as their ticket.
    raw_retention: String,
    /// Automatic answers to one address within a day.
    auto_responses_per_day: u32,
    /// Automatic answers to all addresses within an hour; 0: no limit.
    auto_responses_per_hour: u32,
    /// Addresses that get no automatic answers, case ignored; `*` stands for anything.
    auto_responses_refused: Vec<String>,
    /// After so long an automatic answer that could not be composed yet is not sent any more, a duration; `0s`: it always is.
    auto_responses_max_age: String,
    /// Names of hosts (authserv-ids, RFC 8601) whose Authentication-Results are believed where they say that a sender is forged.
    authentication_results_from: Vec<String>,
    /// How outgoing mail is tried again after a temporary failure.
    outbound: RetriesForm,
}

/// How outgoing mail is tried again.
#[derive(ToSchema)]
#[schema(as = Retries)]
#[serde(deny_unknown_fields)]
pub struct RetriesForm {
    /// How the pauses between two tries grow.
    retry: Retry,
    /// The first pause, a duration.
    retry_increment: String,
    /// The longest pause, a duration.
    retry_longest: String,
    /// After so long a mail is given up, a duration.
    retry_for: String,
    /// So many tries at most; 0: as many as the time allows.
    attempts: u32,
}

/// How long communications are kept, durations.
#[derive(ToSchema)]
#[schema(as = LogRetention)]
#[serde(deny_unknown_fields)]
pub struct LogRetentionForm {
    /// Those that were successful.
    successful: String,
    /// Those that failed.
    failed: String,
}

/// Shows the settings.
#[utoipa::path(get, path = "/settings", tag = TAG, responses((status = 200, body = SettingsForm)))]
async fn show(State(state): State<ApiState>) -> Result<Response, Problem> {
    let configuration = load(&state.store, &state.key).await?;
    Ok(configured::answer(StatusCode::OK, settings::show(&configuration)))
}

/// Changes the settings that the body names; what it leaves out stays.
#[utoipa::path(patch, path = "/settings", tag = TAG, request_body = SettingsForm,
    responses((status = 200, body = SettingsForm), (status = 202, body = SettingsForm, description = "Saved, not in force yet")))]
async fn change(State(state): State<ApiState>, Extension(caller): Extension<Caller>, Json(body): Json<Value>) -> Result<Response, Problem> {
    let Value::Object(fields) = body else {
        return Err(Problem::invalid(vec![Mistake::at("", "It must be an object of settings.")]));
    };
    let actor = caller.actor();
    let saved = settings::alter(configured::editor(&state, &caller, &actor), &fields).await?;
    Ok(configured::answer_saved(&state, &saved, settings::show(&saved.configuration), StatusCode::OK).await)
}
