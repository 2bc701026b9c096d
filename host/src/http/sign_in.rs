//! `/accounts/{name}/sign-in` and `/transports/{name}/sign-in`: the sign-in by OAuth2, begun, looked at, ended; and the
//! page that the provider sends the browser back to. No token and no secret is in any answer.

use super::ApiState;
use super::auth::Caller;
use super::body::Json;
use super::problem::{Problem, no_content};
use crate::oauth2::{BegunSignIn, Flow, Owner, SignInState};
use crate::service::ServiceError;
use crate::service::sign_in::SignIns;
use axum::Router;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use postigo_supervision::{WorkKind, caught};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(begin_account, show_account, end_account)).routes(routes!(
        begin_transport,
        show_transport,
        end_transport
    ))
}

/// The path of the page that browsers are sent back to.
pub const CALLBACK: &str = "/oauth2/callback";

/// Where browsers come back to: open, since what they bring is only of use to the sign-in that gave it out, once and
/// for ten minutes.
pub fn callback() -> Router<ApiState> {
    Router::new().route(CALLBACK, get(finish))
}

/// What a sign-in is to be like.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSignIn)]
struct SignInRequest {
    /// Left out: the configured one.
    #[serde(default)]
    flow: Option<SignInFlow>,
}

/// A flow in which a person signs in.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum SignInFlow {
    /// By a browser.
    Code,
    /// By a code that is typed at another device.
    Device,
}

impl From<SignInFlow> for Flow {
    fn from(flow: SignInFlow) -> Self {
        match flow {
            SignInFlow::Code => Self::Code,
            SignInFlow::Device => Self::Device,
        }
    }
}

/// Begins an account's sign-in: the answer says where a person goes on with it. One that was begun before no longer
/// counts.
#[utoipa::path(post, path = "/accounts/{name}/sign-in", tag = "accounts", params(("name" = String, Path)), request_body = SignInRequest,
    responses((status = 200, body = BegunSignIn)))]
async fn begin_account(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(new): Json<SignInRequest>,
) -> Result<axum::Json<BegunSignIn>, Problem> {
    begin(&state, &caller, Owner::Account(name), &new).await
}

/// Shows how an account's sign-in stands.
#[utoipa::path(get, path = "/accounts/{name}/sign-in", tag = "accounts", params(("name" = String, Path)),
    responses((status = 200, body = SignInState)))]
async fn show_account(
    State(state): State<ApiState>,
    Path(name): Path<String>,
) -> Result<axum::Json<SignInState>, Problem> {
    show(&state, &Owner::Account(name)).await
}

/// Forgets an account's tokens.
#[utoipa::path(delete, path = "/accounts/{name}/sign-in", tag = "accounts", params(("name" = String, Path)), responses((status = 204)))]
async fn end_account(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    end(&state, &caller, &Owner::Account(name)).await
}

/// Begins a transport's sign-in: the answer says where a person goes on with it. One that was begun before no longer
/// counts.
#[utoipa::path(post, path = "/transports/{name}/sign-in", tag = "transports", params(("name" = String, Path)), request_body = SignInRequest,
    responses((status = 200, body = BegunSignIn)))]
async fn begin_transport(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(new): Json<SignInRequest>,
) -> Result<axum::Json<BegunSignIn>, Problem> {
    begin(&state, &caller, Owner::Transport(name), &new).await
}

/// Shows how a transport's sign-in stands.
#[utoipa::path(get, path = "/transports/{name}/sign-in", tag = "transports", params(("name" = String, Path)),
    responses((status = 200, body = SignInState)))]
async fn show_transport(
    State(state): State<ApiState>,
    Path(name): Path<String>,
) -> Result<axum::Json<SignInState>, Problem> {
    show(&state, &Owner::Transport(name)).await
}

/// Forgets a transport's tokens.
#[utoipa::path(delete, path = "/transports/{name}/sign-in", tag = "transports", params(("name" = String, Path)), responses((status = 204)))]
async fn end_transport(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    end(&state, &caller, &Owner::Transport(name)).await
}

fn sign_ins(state: &ApiState) -> SignIns<'_> {
    SignIns { store: &state.store, key: &state.key, tokens: &state.tokens }
}

async fn begin(
    state: &ApiState,
    caller: &Caller,
    owner: Owner,
    new: &SignInRequest,
) -> Result<axum::Json<BegunSignIn>, Problem> {
    let (begun, wait) = sign_ins(state).begin(&owner, new.flow.map(Flow::from), &caller.actor()).await?;
    if let Some(wait) = wait {
        // Told in the log and by the state.
        tokio::spawn(async move { caught(WorkKind::SignIn, owner.name(), wait.run()).await });
    }
    Ok(axum::Json(begun))
}

async fn show(state: &ApiState, owner: &Owner) -> Result<axum::Json<SignInState>, Problem> {
    Ok(axum::Json(sign_ins(state).show(owner).await?))
}

async fn end(state: &ApiState, caller: &Caller, owner: &Owner) -> Result<Response, Problem> {
    sign_ins(state).end(owner, &caller.actor()).await?;
    Ok(no_content())
}

/// A page for the person who signed in: plain words, whatever came of it.
async fn finish(State(state): State<ApiState>, RawQuery(query): RawQuery) -> String {
    match sign_ins(&state).finish(&query.unwrap_or_default()).await {
        Ok(owner) => format!("The {owner} is signed in. You can close this page.\n"),
        Err(error @ (ServiceError::Store(_) | ServiceError::Failed(_))) => {
            tracing::error!(%error, "a sign-in could not be finished");
            "The sign-in failed. Postigo's log says why.\n".to_owned()
        }
        Err(error) => format!("The sign-in failed. {error}\n"),
    }
}
