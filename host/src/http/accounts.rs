//! `/accounts/{name}/…`: tests and fetches of accounts.

use super::ApiState;
use super::probe::ProbeDocument;
use super::problem::{Problem, ProblemKind};
use crate::service::fetching::{self, FetchAnswer, FetchWait};
use crate::service::{ServiceError, configured, probing};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// So long a client waits for the end of a fetch run.
const PATIENCE: Duration = Duration::from_secs(30);

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(test)).routes(routes!(fetch))
}

/// What came of connecting to an account's server.
#[derive(Serialize, ToSchema)]
struct AccountTest {
    /// The account.
    account: String,
    /// What came of it.
    #[serde(flatten)]
    probed: ProbeDocument,
}

/// Connects to the account's server and signs in; mailbox and messages stay as they are.
#[utoipa::path(post, path = "/accounts/{name}/test", tag = "accounts", params(("name" = String, Path)), responses((status = 200, body = AccountTest)))]
async fn test(State(state): State<ApiState>, Path(name): Path<String>) -> Result<axum::Json<AccountTest>, Problem> {
    let configuration = configured::load(&state.store, &state.key).await?;
    let probed =
        probing::account(&configuration, &name, &state.store, &state.tokens, Some(&state.machine)).await?.into();
    Ok(axum::Json(AccountTest { account: name, probed }))
}

/// What a fetch run did, or where to look for it.
#[derive(ToSchema)]
#[schema(as = Fetch)]
#[allow(dead_code, reason = "the shape is described, never made")]
struct FetchForm {
    /// The account.
    account: String,
    /// Whether the run has ended; else it goes on, and the communication log tells of it.
    done: bool,
    /// What the run says of itself.
    #[schema(value_type = Option<Object>, required)]
    result: Option<Value>,
}

/// Fetches an account's mail now, by whichever host has the account, and waits for the end of the run as long as a
/// client may wait.
#[utoipa::path(post, path = "/accounts/{name}/fetch", tag = "accounts", params(("name" = String, Path)),
    responses((status = 200, body = FetchForm), (status = 202, body = FetchForm, description = "It goes on")))]
async fn fetch(State(state): State<ApiState>, Path(name): Path<String>) -> Result<Response, Problem> {
    let configuration = configured::load(&state.store, &state.key).await?;
    let asked =
        fetching::ask(&state.store, configured::find(&configuration, &name)?, FetchWait::AtMost(PATIENCE)).await;
    let answer = asked.map_err(|refused| match refused {
        ServiceError::NotValid { .. } => {
            Problem::new(ProblemKind::Conflict, format!("The account \"{name}\" is not valid; nothing was fetched."))
        }
        other => other.into(),
    })?;
    Ok(match answer {
        FetchAnswer::Ended(result) => {
            axum::Json(json!({ "account": name, "done": true, "result": result })).into_response()
        }
        FetchAnswer::GoesOn | FetchAnswer::NobodyHolds => {
            (StatusCode::ACCEPTED, axum::Json(json!({ "account": name, "done": false, "result": null })))
                .into_response()
        }
    })
}
