//! `/filters/{name}/models` and `/filters/{name}/train`: what filters have learnt.

use super::ApiState;
use super::auth::Caller;
use super::body::Json;
use super::jobs::accepted;
use super::problem::{Problem, no_content};
use crate::service::jobs::{self, JobDocument};
use crate::service::models::{self, ModelDocument};
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use postigo_model::job::TrainingOrder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "classifiers";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, delete))
        .routes(routes!(put_in_force))
        .routes(routes!(train))
}

/// The models of a filter, at most four or so.
#[derive(Debug, Serialize, ToSchema)]
struct ModelList {
    /// The latest first.
    items: Vec<ModelDocument>,
}

/// Lists what a filter has learnt, the latest first: the last three models, and the one in force.
#[utoipa::path(get, path = "/filters/{name}/models", tag = TAG, params(("name" = String, Path)), responses((status = 200, body = ModelList)))]
async fn list(State(state): State<ApiState>, Path(name): Path<String>) -> Result<axum::Json<ModelList>, Problem> {
    Ok(axum::Json(ModelList { items: models::list(&state.store, &state.key, &name).await? }))
}

/// Shows a model.
#[utoipa::path(get, path = "/filters/{name}/models/{number}", tag = TAG, params(("name" = String, Path), ("number" = i64, Path)),
    responses((status = 200, body = ModelDocument)))]
async fn show(
    State(state): State<ApiState>,
    Path((name, number)): Path<(String, i64)>,
) -> Result<axum::Json<ModelDocument>, Problem> {
    Ok(axum::Json(models::show(&state.store, &name, number).await?))
}

/// Deletes a model that is not in force.
#[utoipa::path(delete, path = "/filters/{name}/models/{number}", tag = TAG, params(("name" = String, Path), ("number" = i64, Path)),
    responses((status = 204)))]
async fn delete(State(state): State<ApiState>, Path((name, number)): Path<(String, i64)>) -> Result<Response, Problem> {
    models::delete(&state.store, &name, number).await?;
    Ok(no_content())
}

/// Puts a model in force, be it an earlier one: a change of the configuration, which all hosts take up.
#[utoipa::path(post, path = "/filters/{name}/models/{number}/use", tag = TAG, params(("name" = String, Path), ("number" = i64, Path)),
    responses((status = 200, body = ModelDocument)))]
async fn put_in_force(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, i64)>,
) -> Result<axum::Json<ModelDocument>, Problem> {
    Ok(axum::Json(models::put_in_force(&state.store, &state.key, &name, number, &caller.actor()).await?))
}

/// What a filter is to learn, and of what.
// Written as well, since the defaults in the OpenAPI document are made so.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Training)]
struct TrainingRequest {
    /// Question → the header that an answer to it sets: what a ticket has in that field today is its label.
    questions: BTreeMap<String, String>,
    /// Only from tickets made at or after this time, RFC 3339.
    #[schema(format = DateTime, nullable = false)]
    since: Option<String>,
    /// From so many examples at most, 1 to 200,000.
    limit: usize,
    /// Where all chance comes from: the same tickets and the same seed give the same model.
    seed: u64,
    /// Whether the model is put in force also where the filter has one already.
    r#use: bool,
}

impl Default for TrainingRequest {
    fn default() -> Self {
        let TrainingOrder { questions, since, limit, seed, put_in_force, .. } = TrainingOrder::default();
        Self { questions: questions.into_iter().collect(), since, limit, seed, r#use: put_in_force }
    }
}

/// Has a filter learn from the desk's tickets: a job, at the address of `Location`, whose result has the model.
#[utoipa::path(post, path = "/filters/{name}/train", tag = TAG, params(("name" = String, Path)), request_body = TrainingRequest,
    responses((status = 202, body = JobDocument, description = "The job, which waits")))]
async fn train(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Json(asked): Json<TrainingRequest>,
) -> Result<Response, Problem> {
    let TrainingRequest { questions, since, limit, seed, r#use } = asked;
    let questions = questions.into_iter().collect();
    let order = TrainingOrder { filter: name, questions, since, limit, seed, put_in_force: r#use };
    let id = jobs::train(&state.store, &state.key, order, &caller.actor()).await?;
    accepted(&state, id).await
}
