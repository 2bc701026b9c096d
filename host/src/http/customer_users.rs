//! `/customer-users`: who writes to the helpdesk. There may be many; they are looked up in the database, not in the configuration.

use super::ApiState;
use super::body::Json;
use super::page::{Page, PageQuery};
use super::problem::{Mistake, Problem, no_content};
use super::query::Query;
use crate::service::customer_users;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use postigo_model::configured::CustomerUser;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "customer-users";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(show, replace, change, delete))
}

/// A customer user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CustomerUser)]
#[serde(deny_unknown_fields)]
pub struct CustomerUserForm {
    /// Unique.
    login: String,
    /// Looked up by sender address, case ignored.
    email: String,
    /// The customer's number.
    customer_number: String,
    /// For templates.
    first_name: String,
    /// For templates.
    last_name: String,
    /// The language that automatic answers are chosen by: `de`, `pt-BR`; empty: not known.
    language: String,
}

impl From<CustomerUser> for CustomerUserForm {
    fn from(customer: CustomerUser) -> Self {
        Self {
            login: customer.login,
            email: customer.email,
            customer_number: customer.customer_number,
            first_name: customer.first_name,
            last_name: customer.last_name,
            language: customer.language,
        }
    }
}

/// Lists customer users by login.
#[utoipa::path(get, path = "/customer-users", tag = TAG, params(PageQuery), responses((status = 200, body = Page<CustomerUserForm>)))]
async fn list(State(state): State<ApiState>, Query(query): Query<PageQuery>) -> Result<axum::Json<Page<CustomerUserForm>>, Problem> {
    let limit = query.limit()?;
    let after: String = query.after()?.unwrap_or_default();
    let rows = customer_users::list(&state.store, &after, i64::from(limit) + 1).await?;
    Ok(axum::Json(Page::of(rows, limit, |customer| customer.login.clone(), CustomerUserForm::from)))
}

/// The body with the login that the path gave.
fn named(login: &str, body: Value) -> Result<Map<String, Value>, Problem> {
    let mut fields = object(body)?;
    if fields.entry("login").or_insert_with(|| Value::String(login.to_owned())).as_str() != Some(login) {
        let sentence = format!("The login in the path is \"{login}\"; a customer user cannot be renamed.");
        return Err(Problem::invalid(vec![Mistake::at("/login", sentence)]));
    }
    Ok(fields)
}

fn object(body: Value) -> Result<Map<String, Value>, Problem> {
    match body {
        Value::Object(fields) => Ok(fields),
        _ => Err(Problem::invalid(vec![Mistake::at("", "A customer user must be an object.")])),
    }
}

fn answer(status: StatusCode, customer: CustomerUser) -> Response {
    (status, axum::Json(CustomerUserForm::from(customer))).into_response()
}

/// Adds a customer user.
#[utoipa::path(post, path = "/customer-users", tag = TAG, request_body = CustomerUserForm, responses((status = 201, body = CustomerUserForm)))]
async fn create(State(state): State<ApiState>, Json(body): Json<Value>) -> Result<Response, Problem> {
    let customer = customer_users::create(&state.store, &state.key, &object(body)?).await?;
    Ok(answer(StatusCode::CREATED, customer))
}

/// Shows a customer user.
#[utoipa::path(get, path = "/customer-users/{login}", tag = TAG, params(("login" = String, Path)), responses((status = 200, body = CustomerUserForm)))]
async fn show(State(state): State<ApiState>, Path(login): Path<String>) -> Result<axum::Json<CustomerUserForm>, Problem> {
    Ok(axum::Json(customer_users::show(&state.store, &login).await?.into()))
}

/// Puts a whole customer user in the place of this login, or adds it.
#[utoipa::path(put, path = "/customer-users/{login}", tag = TAG, params(("login" = String, Path)), request_body = CustomerUserForm,
    responses((status = 200, body = CustomerUserForm), (status = 201, body = CustomerUserForm)))]
async fn replace(State(state): State<ApiState>, Path(login): Path<String>, Json(body): Json<Value>) -> Result<Response, Problem> {
    let (customer, new) = customer_users::replace(&state.store, &state.key, &login, &named(&login, body)?).await?;
    Ok(answer(if new { StatusCode::CREATED } else { StatusCode::OK }, customer))
}

/// Changes the keys that the body names; what it leaves out stays.
#[utoipa::path(patch, path = "/customer-users/{login}", tag = TAG, params(("login" = String, Path)), request_body = CustomerUserForm,
    responses((status = 200, body = CustomerUserForm)))]
async fn change(State(state): State<ApiState>, Path(login): Path<String>, Json(body): Json<Value>) -> Result<Response, Problem> {
    let earlier = customer_users::show(&state.store, &login).await?;
    let customer = customer_users::alter(&state.store, &state.key, earlier, &named(&login, body)?).await?;
    Ok(answer(StatusCode::OK, customer))
}

/// Deletes a customer user; tickets keep its login.
#[utoipa::path(delete, path = "/customer-users/{login}", tag = TAG, params(("login" = String, Path)), responses((status = 204)))]
async fn delete(State(state): State<ApiState>, Path(login): Path<String>) -> Result<Response, Problem> {
    customer_users::delete(&state.store, &login).await?;
    Ok(no_content())
}
