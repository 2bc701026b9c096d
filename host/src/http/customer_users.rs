//! `/customer-users`: who writes to the helpdesk. There may be many; they are looked up in the database, not in the
//! configuration.

use super::ApiState;
use super::auth::Caller;
use super::body::Json;
use super::configured::without_notes;
use super::page::{ListQuery, Page, PageQuery};
use super::problem::{PlacedMistake, Problem, no_content};
use super::query::Query;
use crate::service::configured::Object;
use crate::service::customer_users::{self, CustomerPlace};
use crate::service::versions::Attributed;
use axum::Router;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use postigo_model::actor::Actor;
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
    let logins: Vec<&str> = rows.iter().map(|customer| customer.login.as_str()).collect();
    let attributed = Attributed::of(&state.store, CustomerUser::KIND, Some(&logins)).await?;
    let shown = |customer: CustomerUser| {
        let mut object = write(&customer);
        attributed.add_to(&customer.login, &mut object);
        object
    };
    Ok(Page::of(rows, limit, |customer| customer.login.clone(), shown))
}

/// The body with the login that the path gave.
pub fn named(login: &str, body: Value) -> Result<Object, Problem> {
    let mut fields = object(body)?;
    without_notes(&mut fields);
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

fn place<'p>(state: &'p ApiState, actor: &'p Actor) -> CustomerPlace<'p> {
    CustomerPlace { store: &state.store, key: &state.key, actor, is_trial: false }
}

async fn answer(state: &ApiState, status: StatusCode, customer: &CustomerUser) -> Result<Response, Problem> {
    let mut shown = write(customer);
    let login = customer.login.as_str();
    Attributed::of(&state.store, CustomerUser::KIND, Some(&[login])).await?.add_to(login, &mut shown);
    Ok((status, axum::Json(shown)).into_response())
}

/// Adds a customer user.
async fn create(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    let (actor, mut fields) = (caller.actor(), object(body)?);
    without_notes(&mut fields);
    let customer = customer_users::create(place(&state, &actor), &fields).await?;
    answer(&state, StatusCode::CREATED, &customer).await
}

/// Shows a customer user.
async fn show(State(state): State<ApiState>, Path(login): Path<String>) -> Result<axum::Json<Object>, Problem> {
    let mut shown = write(&customer_users::show(&state.store, &login).await?);
    Attributed::of(&state.store, CustomerUser::KIND, Some(&[&login])).await?.add_to(&login, &mut shown);
    Ok(axum::Json(shown))
}

/// Puts a whole customer user in the place of this login, or adds it.
async fn replace(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(login): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    let (customer, new) =
        customer_users::replace(place(&state, &caller.actor()), &login, &named(&login, body)?).await?;
    answer(&state, if new { StatusCode::CREATED } else { StatusCode::OK }, &customer).await
}

/// Changes the keys that the body names; what it leaves out stays.
async fn change(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(login): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    let customer = customer_users::alter(place(&state, &caller.actor()), &login, &named(&login, body)?).await?;
    answer(&state, StatusCode::OK, &customer).await
}

/// Deletes a customer user, and what versions say of them; tickets keep the login.
async fn delete(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(login): Path<String>,
) -> Result<Response, Problem> {
    customer_users::delete(&state.store, &login, &caller.actor()).await?;
    Ok(no_content())
}
