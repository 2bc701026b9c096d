//! `/customer-users`: who writes to the helpdesk. There may be many; they are looked up in the database, not in the configuration.

use super::ApiState;
use super::body::Json;
use super::configured;
use super::page::{Page, PageQuery};
use super::problem::{Kind, Mistake, Problem, no_content};
use super::query::Query;
use crate::store::{configuration, customers};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use postigo_model::configured::CustomerUser;
use postigo_model::configured::form;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "customer-users";
const WHAT: &str = "customer user";

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
    let rows = customers::list(&state.store, &after, i64::from(limit) + 1).await?;
    Ok(axum::Json(Page::of(rows, limit, |customer| customer.login.clone(), CustomerUserForm::from)))
}

async fn find(state: &ApiState, login: &str) -> Result<Option<CustomerUser>, Problem> {
    Ok(customers::by_login(&mut *state.store.read().await?, login).await?)
}

fn read(mut customer: CustomerUser, fields: &Map<String, Value>) -> Result<CustomerUser, Problem> {
    let problems = form::read_fields(fields, "", &form::in_clear, |reader| customer.describe(reader));
    if problems.is_empty() { Ok(customer) } else { Err(Problem::invalid(problems.into_iter().map(configured::mistake).collect())) }
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

async fn save(state: &ApiState, customer: CustomerUser, status: StatusCode) -> Result<Response, Problem> {
    let configuration = configuration::load(&state.store, &state.key).await?;
    configuration::save(&state.store, &state.key, &configuration, &configuration, vec![customer.clone()], "").await?;
    Ok((status, axum::Json(CustomerUserForm::from(customer))).into_response())
}

/// Adds a customer user.
#[utoipa::path(post, path = "/customer-users", tag = TAG, request_body = CustomerUserForm, responses((status = 201, body = CustomerUserForm)))]
async fn create(State(state): State<ApiState>, Json(body): Json<Value>) -> Result<Response, Problem> {
    let customer = read(CustomerUser::default(), &object(body)?)?;
    if find(&state, &customer.login).await?.is_some() {
        return Err(Problem::new(
            Kind::Conflict,
            format!("There is a {WHAT} \"{}\" already; change it with PUT or PATCH.", customer.login),
        ));
    }
    save(&state, customer, StatusCode::CREATED).await
}

/// Shows a customer user.
#[utoipa::path(get, path = "/customer-users/{login}", tag = TAG, params(("login" = String, Path)), responses((status = 200, body = CustomerUserForm)))]
async fn show(State(state): State<ApiState>, Path(login): Path<String>) -> Result<axum::Json<CustomerUserForm>, Problem> {
    let customer = find(&state, &login).await?.ok_or_else(|| Problem::not_found(WHAT, &login))?;
    Ok(axum::Json(customer.into()))
}

/// Puts a whole customer user in the place of this login, or adds it.
#[utoipa::path(put, path = "/customer-users/{login}", tag = TAG, params(("login" = String, Path)), request_body = CustomerUserForm,
    responses((status = 200, body = CustomerUserForm), (status = 201, body = CustomerUserForm)))]
async fn replace(State(state): State<ApiState>, Path(login): Path<String>, Json(body): Json<Value>) -> Result<Response, Problem> {
    let customer = read(CustomerUser::default(), &named(&login, body)?)?;
    let status = if find(&state, &login).await?.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    save(&state, customer, status).await
}

/// Changes the keys that the body names; what it leaves out stays.
#[utoipa::path(patch, path = "/customer-users/{login}", tag = TAG, params(("login" = String, Path)), request_body = CustomerUserForm,
    responses((status = 200, body = CustomerUserForm)))]
async fn change(State(state): State<ApiState>, Path(login): Path<String>, Json(body): Json<Value>) -> Result<Response, Problem> {
    let earlier = find(&state, &login).await?.ok_or_else(|| Problem::not_found(WHAT, &login))?;
    save(&state, read(earlier, &named(&login, body)?)?, StatusCode::OK).await
}

/// Deletes a customer user; tickets keep its login.
#[utoipa::path(delete, path = "/customer-users/{login}", tag = TAG, params(("login" = String, Path)), responses((status = 204)))]
async fn delete(State(state): State<ApiState>, Path(login): Path<String>) -> Result<Response, Problem> {
    if customers::delete(&state.store, &login).await? { Ok(no_content()) } else { Err(Problem::not_found(WHAT, &login)) }
}
