//! `/chain/test` and `/filters/{name}/test`: what would become of a mail, without any effect.

use super::ApiState;
use super::auth::Caller;
use super::problem::Problem;
use super::query::Query;
use super::raw::RawMail;
use crate::service::dry_runs::PreparedDryRun;
use crate::worker::{DryRun, DryRunResult};
use axum::extract::{Extension, Path, State};
use bytes::Bytes;
use postigo_model::configured::Account;
use postigo_supervision::{WorkKind, caught};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "filters";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(test_chain)).routes(routes!(test_filter))
}

/// As what a mail is tried.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TestQuery {
    /// As if this account had brought it; `local` if left out.
    account: Option<String>,
    /// Whether that account counts as trusted; left out: as it is.
    trusted: Option<bool>,
}

/// One filter that is to be tried, and with which component where that is not its own.
struct One {
    filter: String,
    component: Option<String>,
}

/// Tries a mail in the caller's turn. Where they do not wait for it, it takes their turn all the same.
async fn try_out(
    state: ApiState,
    caller: Caller,
    one: Option<One>,
    query: TestQuery,
    mail: Bytes,
) -> Result<axum::Json<DryRunResult>, Problem> {
    let sandbox = state.live.sandbox().asked_by(caller.asker());
    let turn = sandbox.turn().await;
    let trying = async move {
        let _turn = turn;
        let trial = match one {
            Some(one) => {
                PreparedDryRun::of_filter(&state.live, &one.filter, one.component.as_deref(), &sandbox).await?
            }
            None => PreparedDryRun::of_chain(&state.live).await?,
        };
        let account = query.account.unwrap_or_else(|| Account::LOCAL.to_owned());
        trial.check_account(&account).map_err(|refused| Problem::bad_parameter("account", refused.to_string()))?;
        let mail = DryRun {
            source: "rest".to_owned(),
            raw: mail,
            account,
            trusted: query.trusted,
            recipients: Vec::new(),
            received_at: None,
        };
        trial.run(mail).await.map_err(Problem::from)
    };
    let tried = tokio::spawn(caught(WorkKind::Preparation, "", trying)).await;
    tried.map_err(|error| Problem::internal(&error))?.map_err(|panic| Problem::internal(&panic))?.map(axum::Json)
}

/// The same, of one filter.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FilterTestQuery {
    /// As if this account had brought it; `local` if left out.
    account: Option<String>,
    /// Whether that account counts as trusted; left out: as it is.
    trusted: Option<bool>,
    /// As if the filter were made of this component (`name@version`, activated or not), with its settings and grants
    /// as they are.
    component: Option<String>,
}

/// Runs the whole chain over a mail: every filter is called, later ones see what earlier ones set, and nothing is kept.
#[utoipa::path(post, path = "/chain/test", tag = TAG, params(TestQuery),
    request_body(content = Vec<u8>, content_type = "message/rfc822"), responses((status = 200, body = DryRunResult)))]
async fn test_chain(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<TestQuery>,
    RawMail(mail): RawMail,
) -> Result<axum::Json<DryRunResult>, Problem> {
    try_out(state, caller, None, query, mail).await
}

/// Runs one filter, on or off, in its place in the chain over a mail; `filters` of the answer has it alone.
#[utoipa::path(post, path = "/filters/{name}/test", tag = TAG, params(("name" = String, Path), FilterTestQuery),
    request_body(content = Vec<u8>, content_type = "message/rfc822"), responses((status = 200, body = DryRunResult)))]
async fn test_filter(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(query): Query<FilterTestQuery>,
    RawMail(mail): RawMail,
) -> Result<axum::Json<DryRunResult>, Problem> {
    let one = One { filter: name, component: query.component };
    try_out(state, caller, Some(one), TestQuery { account: query.account, trusted: query.trusted }, mail).await
}
