//! `/accounts`: where mail comes from. An account is never deleted, only made invalid.

#![allow(dead_code, reason = "the shape is described here; postigo_model::configured::form makes it")]

use super::ApiState;
use super::forms::{OAuth2Form, ValidityForm};
use super::handlers::handlers;
use super::probed::Probed;
use super::problem::{Kind, Problem};
use crate::inbound;
use crate::oauth2::SignInState;
use crate::service::Refused;
use crate::service::fetching::{self, Answer, Patience};
use crate::store::configuration;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use postigo_model::configured::{Account, Protocol, Start};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// So long a client waits for the end of a fetch run.
const PATIENCE: Duration = Duration::from_secs(30);

handlers!(Account, AccountForm, tag = "accounts", all = "/accounts", one = "/accounts/{name}");

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, replace, change)).routes(routes!(test)).routes(routes!(fetch))
}

/// What came of connecting to an account's server.
#[derive(Serialize, ToSchema)]
struct AccountTest {
    /// The account.
    account: String,
    /// What came of it.
    #[serde(flatten)]
    probed: Probed,
}

/// Connects to the account's server and signs in; mailbox and messages stay as they are.
#[utoipa::path(post, path = "/accounts/{name}/test", tag = "accounts", params(("name" = String, Path)), responses((status = 200, body = AccountTest)))]
async fn test(State(state): State<ApiState>, Path(name): Path<String>) -> Result<axum::Json<AccountTest>, Problem> {
    let configuration = configuration::load(&state.store, &state.key).await?;
    let account = configuration.accounts.get(&name).ok_or_else(|| Problem::not_found("account", &name))?;
    let probed = inbound::probe(account, &state.tokens, &state.machine).await.into();
    Ok(axum::Json(AccountTest { account: name, probed }))
}

/// What a fetch run did, or where to look for it.
#[derive(ToSchema)]
#[schema(as = Fetch)]
struct FetchForm {
    /// The account.
    account: String,
    /// Whether the run has ended; else it goes on, and the communication log tells of it.
    done: bool,
    /// What the run says of itself.
    #[schema(value_type = Option<Object>, required)]
    result: Option<Value>,
}

/// Fetches an account's mail now, by whichever host has the account, and waits for the end of the run as long as a client may wait.
#[utoipa::path(post, path = "/accounts/{name}/fetch", tag = "accounts", params(("name" = String, Path)),
    responses((status = 200, body = FetchForm), (status = 202, body = FetchForm, description = "It goes on")))]
async fn fetch(State(state): State<ApiState>, Path(name): Path<String>) -> Result<Response, Problem> {
    let configuration = configuration::load(&state.store, &state.key).await?;
    let account = configuration.accounts.get(&name).ok_or_else(|| Problem::not_found("account", &name))?;
    let asked = fetching::ask(&state.store, account, Patience::AtMost(PATIENCE)).await;
    let answer = asked.map_err(|refused| match refused {
        Refused::NotValid { .. } => Problem::new(Kind::Conflict, format!("The account \"{name}\" is not valid; nothing was fetched.")),
        other => other.into(),
    })?;
    Ok(match answer {
        Answer::Ended(result) => axum::Json(json!({ "account": name, "done": true, "result": result })).into_response(),
        Answer::GoesOn | Answer::NobodyHolds => {
            (StatusCode::ACCEPTED, axum::Json(json!({ "account": name, "done": false, "result": null }))).into_response()
        }
    })
}

/// Where mail comes from.
#[derive(ToSchema)]
#[schema(as = Account)]
#[serde(deny_unknown_fields)]
pub struct AccountForm {
    /// Unique.
    name: String,
    /// How it is reached.
    protocol: Protocol,
    /// Host, or the folder of a Maildir; of a listener the address to listen on (empty: 127.0.0.1), or the path of a Unix socket.
    host: String,
    /// Null: the protocol's own.
    #[schema(required, minimum = 1, maximum = 65535)]
    port: Option<u16>,
    /// Login; of a listener the address that it takes mail for (`*`: every address; empty: the valid system addresses).
    user: String,
    /// Password. Left out: it stays what it is.
    #[schema(write_only, required, nullable = false)]
    password: Option<String>,
    /// Sign-in by OAuth2.
    #[schema(nullable = false)]
    oauth2: Option<OAuth2Form>,
    /// How that stands; only there with `oauth2`. Passed over in bodies.
    #[schema(read_only, nullable = false)]
    sign_in: Option<SignInState>,
    /// IMAP folder.
    folder: String,
    /// Whether its mails' own `X-OTOBO-*` headers count.
    trusted: bool,
    /// `to`: by recipients; `queue:NAME`: to that queue.
    #[schema(pattern = "^(to|queue:.+)$")]
    dispatch: String,
    /// What is done on the server once a mail is durable here.
    #[schema(pattern = "^(delete|seen|move:.+|keep)$")]
    after_fetch: String,
    /// Where held mails go on the server; empty: nowhere.
    failed_folder: String,
    /// Which mail is taken of a mailbox that is seen for the first time; IMAP alone.
    start: Start,
    /// A duration: `10m`; null: the setting's.
    #[schema(required)]
    interval: Option<String>,
    /// A duration, of every read.
    timeout: String,
    /// IMAP IDLE where the server has it.
    idle: bool,
    /// TLS towards the server; of a listener towards its clients.
    tls: AccountTlsForm,
    /// Who may deliver to a listener over TCP: addresses and networks, `10.1.0.0/16`.
    networks: Vec<String>,
    /// In use?
    valid: ValidityForm,
    /// For admins.
    comment: String,
}

/// TLS of an account.
#[derive(ToSchema)]
#[schema(as = AccountTls)]
#[serde(deny_unknown_fields)]
pub struct AccountTlsForm {
    /// A file of further certificate authorities, PEM; empty: the system's alone.
    ca: String,
    /// A file, PEM; empty: none.
    client_certificate: String,
    /// A file, PEM.
    client_key: String,
    /// Whether the server's certificate is checked.
    verify: bool,
    /// What a listener shows to its clients: a file with its certificate chain, PEM; empty: no STARTTLS.
    certificate: String,
    /// The listener's key, a file, PEM.
    key: String,
}
