//! `/components`: what filters are made of, shipped ones and uploaded ones.

use super::ApiState;
use super::body::{self, read};
use super::configured::is_live;
use super::problem::{Kind, Problem, no_content};
use crate::chain::shipped_component;
use crate::commlog::now;
use crate::runtime::{Description, Inspected, shipped};
use crate::store::{components, configuration};
use crate::supervision::{Work, blocking};
use crate::timestamp::rfc3339;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "components";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, upload)).routes(routes!(show, delete))
}

/// A component.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Component {
    /// What it says of itself.
    #[serde(flatten)]
    description: Description,
    /// Whether it ships with Postigo; a shipped one is what its name means.
    shipped: bool,
    /// RFC 3339, UTC; null for a shipped one.
    #[schema(required)]
    uploaded_at: Option<String>,
}

/// All components.
#[derive(Debug, Serialize, ToSchema)]
struct Components {
    /// Shipped ones first, then uploaded ones by name, the newest of a name first.
    items: Vec<Component>,
}

/// A component that was uploaded.
#[derive(Debug, Serialize, ToSchema)]
struct Uploaded {
    /// The component.
    component: Component,
    /// Whether it was not there before.
    new: bool,
    /// Why it cannot be snapshotted, so that each message costs more; null where it can.
    #[schema(required)]
    unsnapshotable: Option<String>,
}

async fn all(state: &ApiState) -> Result<Vec<Component>, Problem> {
    let mut found = Vec::new();
    for (name, _) in shipped::components() {
        if let Some(component) = shipped_component(name, state.live.sandbox()).await {
            found.push(Component { description: component.description.as_ref().clone(), shipped: true, uploaded_at: None });
        }
    }
    let uploaded = components::components(&state.store).await?;
    found.extend(uploaded.into_iter().map(|component| Component {
        description: component.description,
        shipped: false,
        uploaded_at: Some(rfc3339(component.uploaded_at)),
    }));
    Ok(found)
}

/// Lists the components.
#[utoipa::path(get, path = "/components", tag = TAG, responses((status = 200, body = Components)))]
async fn list(State(state): State<ApiState>) -> Result<axum::Json<Components>, Problem> {
    Ok(axum::Json(Components { items: all(&state).await? }))
}

/// Uploads a component: a core module that carries its component type, or a component, at most 10 MiB. It is compiled and asked what it
/// is in a process of its own before anything is stored.
#[utoipa::path(post, path = "/components", tag = TAG,
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 200, body = Uploaded, description = "It was there before"), (status = 201, body = Uploaded)))]
async fn upload(State(state): State<ApiState>, request: Request) -> Result<Response, Problem> {
    body::expect_media_type(request.headers(), &["application/wasm"])?;
    let bytes = read(request, &state).await?;
    let Inspected { description, component, unsnapshotable } = inspect(&state, bytes).await?;
    let at = now();
    let new = components::upload_component(&state.store, description.clone(), component, at).await?;
    if new {
        is_live(&state, configuration::version(&state.store).await?).await;
    }
    let component = Component { description, shipped: false, uploaded_at: Some(rfc3339(at)) };
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(Uploaded { component, new, unsnapshotable })).into_response())
}

async fn inspect(state: &ApiState, bytes: axum::body::Bytes) -> Result<Inspected, Problem> {
    let sandbox = Arc::clone(state.live.sandbox());
    let inspected = blocking(Work::Preparation, "", move || {
        let runtime = sandbox.runtime().map_err(|reason| Problem::internal(&reason))?;
        runtime.inspect(&bytes).map_err(|refused| Problem::new(Kind::Invalid, format!("The component is not taken: {refused}")))
    });
    inspected.await.map_err(|error| Problem::internal(&error))?
}

/// Shows a component by its name or digest.
#[utoipa::path(get, path = "/components/{name}", tag = TAG, params(("name" = String, Path)), responses((status = 200, body = Component)))]
async fn show(State(state): State<ApiState>, Path(name): Path<String>) -> Result<axum::Json<Component>, Problem> {
    let named = |component: &Component| component.description.name == name || component.description.digest == name;
    let found = all(&state).await?.into_iter().find(named);
    Ok(axum::Json(found.ok_or_else(|| Problem::not_found("component", &name))?))
}

/// Deletes an uploaded component by its digest; no filter may name it.
#[utoipa::path(delete, path = "/components/{name}", tag = TAG, params(("name" = String, Path)), responses((status = 204)))]
async fn delete(State(state): State<ApiState>, Path(digest): Path<String>) -> Result<Response, Problem> {
    let uploaded = components::components(&state.store).await?;
    let found = uploaded.iter().find(|component| component.description.digest == digest);
    let found = found.ok_or_else(|| Problem::not_found("uploaded component of the digest", &digest))?;
    let configuration = configuration::load(&state.store, &state.key).await?;
    let newest = uploaded.iter().find(|component| component.description.name == found.description.name);
    let is_meant_by_name = newest.is_some_and(|newest| newest.description.digest == digest);
    let uses = |component: &str| component == digest || (is_meant_by_name && component == found.description.name);
    if let Some(filter) = configuration.filters.values().find(|filter| uses(&filter.component)) {
        let sentence = format!("The filter \"{}\" uses this component. Nothing was deleted.", filter.name);
        return Err(Problem::new(Kind::Conflict, sentence));
    }
    components::delete_component(&state.store, &digest).await?;
    Ok(no_content())
}
