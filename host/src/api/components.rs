//! `/components`: what filters are made of, shipped ones and uploaded ones.

use super::ApiState;
use super::auth::Caller;
use super::body::{self, read};
use super::configured::is_live;
use super::page::{Page, PageQuery};
use super::problem::{Kind, Problem, no_content};
use super::query::Query;
use crate::chain::shipped_component;
use crate::commlog::now;
use crate::runtime::{Description, Inspected, shipped};
use crate::store::components::{After, Listed, Said};
use crate::store::{components, configuration};
use crate::supervision::{Work, blocking};
use crate::timestamp::rfc3339;
use axum::extract::{Extension, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "components";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(list, upload)).routes(routes!(show, delete)).routes(routes!(schema))
}

/// A component, without its settings schema.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Component {
    /// SHA-256 of the uploaded bytes, hexadecimal.
    digest: String,
    /// Its name.
    name: String,
    /// Its version.
    version: String,
    /// One sentence.
    summary: String,
    /// The grants it wants.
    grants: Vec<String>,
    /// The headers it may set; a trailing `*` stands for any ending.
    headers: Vec<String>,
    /// Whether it exports `screening`.
    screens: bool,
    /// Whether it ships with Postigo; a shipped one is what its name means.
    shipped: bool,
    /// RFC 3339, UTC; null for a shipped one.
    #[schema(required)]
    uploaded_at: Option<String>,
}

impl Component {
    fn shipped(description: &Description) -> Self {
        Self { shipped: true, uploaded_at: None, ..Self::uploaded(description.clone(), 0) }
    }

    fn uploaded(description: Description, at: i64) -> Self {
        let Description { digest, name, version, summary, settings_schema: _, grants, headers, screens } = description;
        Self { digest, name, version, summary, grants, headers, screens, shipped: false, uploaded_at: Some(rfc3339(at)) }
    }
}

impl From<Listed> for Component {
    fn from(listed: Listed) -> Self {
        let Listed { digest, name, version, said: Said { summary, grants, headers, screens }, uploaded_at } = listed;
        Self { digest, name, version, summary, grants, headers, screens, shipped: false, uploaded_at: Some(rfc3339(uploaded_at)) }
    }
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

/// A row of the list, with its place in the order.
struct Ranked {
    component: Component,
    place: Place,
}

/// Where a page ended.
enum Place {
    /// `shipped NAME`
    Shipped(String),
    /// `uploaded TIME DIGEST NAME`
    Uploaded(After),
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shipped(name) => write!(formatter, "shipped {name}"),
            Self::Uploaded(After { name, uploaded_at, digest }) => write!(formatter, "uploaded {uploaded_at} {digest} {name}"),
        }
    }
}

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let words: Vec<&str> = text.splitn(4, ' ').collect();
        match words.as_slice() {
            ["shipped", name] => Ok(Self::Shipped((*name).to_owned())),
            ["uploaded", at, digest, name] => {
                let uploaded_at = at.parse().map_err(|_| ())?;
                Ok(Self::Uploaded(After { name: (*name).to_owned(), uploaded_at, digest: (*digest).to_owned() }))
            }
            _ => Err(()),
        }
    }
}

/// Lists the components: shipped ones first, then uploaded ones by name, the newest of a name first.
#[utoipa::path(get, path = "/components", tag = TAG, params(PageQuery), responses((status = 200, body = Page<Component>)))]
async fn list(State(state): State<ApiState>, Query(query): Query<PageQuery>) -> Result<axum::Json<Page<Component>>, Problem> {
    let limit = query.limit()?;
    let after: Option<Place> = query.after()?;
    let mut rows = Vec::new();
    if !matches!(after, Some(Place::Uploaded(_))) {
        let mut shipped: Vec<&str> = shipped::components().iter().map(|(name, _)| *name).collect();
        shipped.sort_unstable();
        let is_left = |name: &&str| !matches!(&after, Some(Place::Shipped(last)) if *name <= last.as_str());
        for name in shipped.into_iter().filter(is_left) {
            if let Some(component) = shipped_component(name, state.live.sandbox()).await {
                rows.push(Ranked { component: Component::shipped(&component.description), place: Place::Shipped(name.to_owned()) });
            }
        }
    }
    let after = after.and_then(|place| if let Place::Uploaded(after) = place { Some(after) } else { None });
    for listed in components::list(&state.store, after.as_ref(), limit + 1).await? {
        let place = After { name: listed.name.clone(), uploaded_at: listed.uploaded_at, digest: listed.digest.clone() };
        rows.push(Ranked { component: listed.into(), place: Place::Uploaded(place) });
    }
    Ok(axum::Json(Page::of(rows, limit, |row| row.place.to_string(), |row| row.component)))
}

/// Uploads a component: a core module that carries its component type, or a component, at most 10 MiB. It is compiled and asked what it
/// is in a process of its own before anything is stored.
#[utoipa::path(post, path = "/components", tag = TAG,
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 200, body = Uploaded, description = "It was there before"), (status = 201, body = Uploaded)))]
async fn upload(State(state): State<ApiState>, Extension(caller): Extension<Caller>, request: Request) -> Result<Response, Problem> {
    body::expect_media_type(request.headers(), &["application/wasm"])?;
    let bytes = read(request, &state).await?;
    let Inspected { description, component, unsnapshotable } = inspect(&state, &caller, bytes).await?;
    let at = now();
    let new = components::upload_component(&state.store, description.clone(), component, at).await?;
    if new {
        is_live(&state, configuration::version(&state.store).await?).await;
    }
    let component = Component::uploaded(description, at);
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(Uploaded { component, new, unsnapshotable })).into_response())
}

async fn inspect(state: &ApiState, caller: &Caller, bytes: axum::body::Bytes) -> Result<Inspected, Problem> {
    let sandbox = state.live.sandbox().asked_by(caller.asker());
    let turn = sandbox.turn().await;
    let inspected = blocking(Work::Preparation, "", move || {
        let _turn = turn;
        let runtime = sandbox.sandbox().runtime().map_err(|reason| Problem::internal(&reason))?;
        let inspected = runtime.inspect(&bytes, sandbox.asker());
        inspected.map_err(|refused| Problem::new(Kind::Invalid, format!("The component is not taken: {refused}")))
    });
    inspected.await.map_err(|error| Problem::internal(&error))?
}

/// A component by its name or digest, and when it was uploaded; none for a shipped one.
async fn find(state: &ApiState, name: &str) -> Result<(Description, Option<i64>), Problem> {
    let shipped = match shipped_component(name, state.live.sandbox()).await {
        Some(component) => Some(component),
        None => shipped_of_digest(state, name).await,
    };
    if let Some(component) = shipped {
        return Ok((component.description.as_ref().clone(), None));
    }
    let uploaded = components::find(&state.store, name).await?.ok_or_else(|| Problem::not_found("component", name))?;
    Ok((uploaded.description, Some(uploaded.uploaded_at)))
}

async fn shipped_of_digest(state: &ApiState, digest: &str) -> Option<crate::chain::Component> {
    for (name, _) in shipped::components() {
        let component = shipped_component(name, state.live.sandbox()).await;
        if let Some(component) = component.filter(|component| component.description.digest == digest) {
            return Some(component);
        }
    }
    None
}

/// Shows a component by its name or digest.
#[utoipa::path(get, path = "/components/{name}", tag = TAG, params(("name" = String, Path)), responses((status = 200, body = Component)))]
async fn show(State(state): State<ApiState>, Path(name): Path<String>) -> Result<axum::Json<Component>, Problem> {
    let (description, at) = find(&state, &name).await?;
    Ok(axum::Json(at.map_or_else(|| Component::shipped(&description), |at| Component::uploaded(description.clone(), at))))
}

/// The JSON Schema of the settings of a component's filters, as the component gives it.
#[utoipa::path(get, path = "/components/{name}/schema", tag = TAG, params(("name" = String, Path)), responses((status = 200, body = Object)))]
async fn schema(State(state): State<ApiState>, Path(name): Path<String>) -> Result<axum::Json<serde_json::Value>, Problem> {
    Ok(axum::Json(find(&state, &name).await?.0.settings_schema))
}

/// Deletes an uploaded component by its digest; no filter may name it.
#[utoipa::path(delete, path = "/components/{name}", tag = TAG, params(("name" = String, Path)), responses((status = 204)))]
async fn delete(State(state): State<ApiState>, Path(digest): Path<String>) -> Result<Response, Problem> {
    let Some(name) = components::name_of(&state.store, &digest).await? else {
        return Err(Problem::not_found("uploaded component of the digest", &digest));
    };
    let configuration = configuration::load(&state.store, &state.key).await?;
    let is_meant_by_name = components::newest(&state.store, &name).await?.is_some_and(|newest| newest == digest);
    let uses = |component: &str| component == digest || (is_meant_by_name && component == name);
    if let Some(filter) = configuration.filters.values().find(|filter| uses(&filter.component)) {
        let sentence = format!("The filter \"{}\" uses this component. Nothing was deleted.", filter.name);
        return Err(Problem::new(Kind::Conflict, sentence));
    }
    components::delete_component(&state.store, &digest).await?;
    Ok(no_content())
}
