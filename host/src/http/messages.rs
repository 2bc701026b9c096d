//! `/messages`: mail handed in over REST goes the same durable way as mail that is fetched.

use super::ApiState;
use super::auth::Caller;
use super::problem::Problem;
use super::query::Query;
use super::raw::RawMail;
use super::role::Role;
use crate::service::ServiceError;
use crate::service::messages::{self, Became, Submission};
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use postigo_model::configured::Account;
use postigo_model::result::MessageResult;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "messages";
/// So long a client waits for what becomes of its mail; then it is told where to look.
const PATIENCE: Duration = Duration::from_secs(30);

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
#[schema(as = Accepted)]
struct AcceptedMail {
    /// Its id in the spool.
    id: i64,
}

/// Hands a mail in and waits for what becomes of it: 201, or 200 where this very mail was handed in before. It is
/// durable as soon as there is an answer; 202 says that it is not worked on yet, and where to look.
#[utoipa::path(post, path = "/messages", tag = TAG, params(SubmitQuery),
    request_body(content = Vec<u8>, content_type = "message/rfc822"),
    responses((status = 200, body = MessageResult, description = "This very mail was handed in before; what became of it then"),
        (status = 201, body = MessageResult, description = "What became of it"),
        (status = 202, body = AcceptedMail, description = "Durable, and not worked on yet")))]
async fn submit(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<SubmitQuery>,
    RawMail(mail): RawMail,
) -> Result<Response, Problem> {
    let account = query.account.unwrap_or_else(|| Account::LOCAL.to_owned());
    let source = format!("rest:{}", caller.token);
    let submission = Submission { account, raw: mail, source, is_admin: caller.role == Role::Admin };
    let taken_in = messages::submit(&state.spool, &state.key, submission).await.map_err(told)?;
    Ok(match messages::wait(&state.spool, taken_in, PATIENCE).await? {
        Became::Before(result) => (StatusCode::OK, axum::Json(result)).into_response(),
        Became::Done(result) => (StatusCode::CREATED, axum::Json(result)).into_response(),
        Became::OnItsWay => {
            let location = format!("{}/spool/{}", super::BASE, taken_in.id());
            (StatusCode::ACCEPTED, [(header::LOCATION, location)], axum::Json(AcceptedMail { id: taken_in.id() }))
                .into_response()
        }
    })
}

/// The account is named by a parameter.
fn told(refused: ServiceError) -> Problem {
    match refused {
        refused @ (ServiceError::Missing { .. } | ServiceError::NotValid { .. }) => {
            Problem::bad_parameter("account", refused.to_string())
        }
        refused => refused.into(),
    }
}
