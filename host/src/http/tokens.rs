//! `/tokens`: who may use this API.

use super::ApiState;
use super::auth::{self, Caller, TokenError};
use super::body::Json;
use super::page::{Page, PageQuery};
use super::problem::{Mistake, Problem, no_content};
use super::query::Query;
use super::role::Role;
use crate::store::access::{self, TokenRow};
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use postigo_model::timestamp::rfc3339;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "tokens";
/// Characters of a token's name.
const LONGEST_NAME: usize = 200;

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(delete)).routes(routes!(whoami))
}

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct Token {
    /// Its id.
    pub id: i64,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC, exact to a minute; null: never.
    pub last_used_at: Option<String>,
}

impl From<TokenRow> for Token {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            role: row.role,
            created_at: rfc3339(row.created_at),
            last_used_at: row.last_used_at.map(rfc3339),
        }
    }
}

/// A token that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for, at most 200 characters.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// A token just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedToken {
    /// Its id.
    pub id: i64,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The token itself. It is shown this once.
    pub token: String,
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
#[utoipa::path(get, path = "/tokens", tag = TAG, params(PageQuery), responses((status = 200, body = Page<Token>)))]
async fn list(State(state): State<ApiState>, Query(query): Query<PageQuery>) -> Result<axum::Json<Page<Token>>, Problem> {
    let limit = query.limit()?;
    let rows = access::list_tokens(&state.store, query.after()?.unwrap_or(0), i64::from(limit) + 1).await?;
    Ok(axum::Json(Page::of(rows, limit, |row| row.id.to_string(), Token::from)))
}

/// Makes a token. The answer shows it, once.
#[utoipa::path(post, path = "/tokens", tag = TAG, request_body = NewToken, responses((status = 201, body = CreatedToken)))]
async fn create(State(state): State<ApiState>, Json(new): Json<NewToken>) -> Result<Response, Problem> {
    if new.name.trim().is_empty() || new.name.chars().count() > LONGEST_NAME {
        return Err(Problem::invalid(vec![Mistake::at("/name", format!("A token's name has 1 to {LONGEST_NAME} characters."))]));
    }
    let (id, token) = auth::create_token(&state.store, &new.name, new.role).await.map_err(|error| match error {
        TokenError::Store(error) => Problem::from(error),
        TokenError::Random(_) => Problem::internal(&error),
    })?;
    Ok((StatusCode::CREATED, axum::Json(CreatedToken { id, name: new.name, role: new.role, token })).into_response())
}

/// Deletes a token; requests with it are refused from then on.
#[utoipa::path(delete, path = "/tokens/{id}", tag = TAG, params(("id" = i64, Path)), responses((status = 204)))]
async fn delete(State(state): State<ApiState>, Path(id): Path<i64>) -> Result<Response, Problem> {
    if access::delete_token(&state.store, id).await? { Ok(no_content()) } else { Err(Problem::not_found("token", &id.to_string())) }
}

/// Tells the token of this request.
#[utoipa::path(get, path = "/whoami", tag = TAG, responses((status = 200, body = WhoAmI)))]
async fn whoami(Extension(caller): Extension<Caller>) -> axum::Json<WhoAmI> {
    axum::Json(WhoAmI { id: caller.token, name: caller.name, role: caller.role })
}
