//! `/customer-users`: who writes to the helpdesk. There may be many; they are looked up in the database, not in the
//! configuration.

use super::ApiState;
use super::body::Json;
use super::page::{ListQuery, Page, PageQuery};
use super::problem::{PlacedMistake, Problem, no_content};
use super::query::Query;
use crate::service::configured::Object;
use crate::service::customer_users;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use postigo_model::configured::CustomerUser;
use postigo_model::configured::form::{ConfiguredKind as _, write};
use serde_json::Value;

/// The routes.
pub fn routes() -> Router<ApiState> {
    let path = CustomerUser::ABOUT.path;
    let one = get(show).put(replace).patch(change).merge(axum::routing::delete(delete));
    Router::new().route(path, get(list).post(create)).route(&format!("{path}/{{{}}}", CustomerUser::NAME), one)
}

/// Lists customer users by login.
async fn list(
    State(state): State<ApiState>,
    Query(ListQuery { search, limit, cursor }): Query<ListQuery>,
) -> Result<Page<Object>, Problem> {
    let query = PageQuery { limit, cursor };
    let limit = query.limit()?;
    let after: String = query.after()?.unwrap_or_default();
    let rows = customer_users::search(&state.store, search.as_deref(), &after, limit as usize + 1).await?;
    Ok(Page::of(rows, limit, |customer| customer.login.clone(), |customer| write(&customer)))
}

/// The body with the login that the path gave.
fn named(login: &str, body: Value) -> Result<Object, Problem> {
    let mut fields = object(body)?;
    if fields.entry("login").or_insert_with(|| Value::String(login.to_owned())).as_str() != Some(login) {
        let sentence = format!("The login in the path is \"{login}\"; a customer user cannot be renamed.");
        return Err(Problem::invalid(vec![PlacedMistake::at("/login", sentence)]));
    }
    Ok(fields)
}

fn object(body: Value) -> Result<Object, Problem> {
    match body {
        Value::Object(fields) => Ok(fields),
        _ => Err(Problem::invalid(vec![PlacedMistake::at("", "A customer user must be an object.")])),
    }
}

fn answer(status: StatusCode, customer: &CustomerUser) -> Response {
    (status, axum::Json(write(customer))).into_response()
}

/// Adds a customer user.
async fn create(State(state): State<ApiState>, Json(body): Json<Value>) -> Result<Response, Problem> {
    let customer = customer_users::create(&state.store, &state.key, &object(body)?).await?;
    Ok(answer(StatusCode::CREATED, &customer))
}

/// Shows a customer user.
async fn show(State(state): State<ApiState>, Path(login): Path<String>) -> Result<axum::Json<Object>, Problem> {
    Ok(axum::Json(write(&customer_users::show(&state.store, &login).await?)))
}

/// Puts a whole customer user in the place of this login, or adds it.
async fn replace(
    State(state): State<ApiState>,
    Path(login): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    let (customer, new) = customer_users::replace(&state.store, &state.key, &login, &named(&login, body)?).await?;
    Ok(answer(if new { StatusCode::CREATED } else { StatusCode::OK }, &customer))
}

/// Changes the keys that the body names; what it leaves out stays.
async fn change(
    State(state): State<ApiState>,
    Path(login): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    let customer = customer_users::alter(&state.store, &state.key, &login, &named(&login, body)?).await?;
    Ok(answer(StatusCode::OK, &customer))
}

/// Deletes a customer user; tickets keep its login.
async fn delete(State(state): State<ApiState>, Path(login): Path<String>) -> Result<Response, Problem> {
    customer_users::delete(&state.store, &login).await?;
    Ok(no_content())
}
