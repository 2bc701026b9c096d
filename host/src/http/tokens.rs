//! `/tokens`: who may use this API.

use super::ApiState;
use super::auth::Caller;
use super::body::Json;
use super::page::{Page, PageQuery};
use super::problem::{Problem, no_content};
use super::query::Query;
use super::role::Role;
use crate::service::tokens::{self, CreatedToken, TokenDocument};
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "tokens";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(delete)).routes(routes!(whoami))
}

/// A token that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken)]
pub struct TokenRequest {
    /// What it is for, at most 200 characters.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// Who a token is.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhoAmI {
    /// The token's id.
    pub id: i64,
    /// The token's name.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// Lists the tokens.
#[utoipa::path(get, path = "/tokens", tag = TAG, params(PageQuery), responses((status = 200, body = Page<TokenDocument>)))]
async fn list(State(state): State<ApiState>, Query(query): Query<PageQuery>) -> Result<Page<TokenDocument>, Problem> {
    let page = query.read(
        |token: &TokenDocument| token.id.to_string(),
        |after, limit| tokens::list(&state.store, after.unwrap_or(0), limit),
    );
    page.await
}

/// Makes a token. The answer shows it, once.
#[utoipa::path(post, path = "/tokens", tag = TAG, request_body = TokenRequest, responses((status = 201, body = CreatedToken)))]
async fn create(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Json(new): Json<TokenRequest>,
) -> Result<Response, Problem> {
    let created = tokens::create(&state.store, new.name, new.role, &caller.actor()).await?;
    Ok((StatusCode::CREATED, axum::Json(created)).into_response())
}

/// Deletes a token; requests with it are refused from then on.
#[utoipa::path(delete, path = "/tokens/{id}", tag = TAG, params(("id" = i64, Path)), responses((status = 204)))]
async fn delete(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    tokens::delete(&state.store, id, &caller.actor()).await?;
    Ok(no_content())
}

/// Tells the token of this request.
#[utoipa::path(get, path = "/whoami", tag = TAG, responses((status = 200, body = WhoAmI)))]
async fn whoami(Extension(caller): Extension<Caller>) -> axum::Json<WhoAmI> {
    axum::Json(WhoAmI { id: caller.token, name: caller.name, role: caller.role })
}
