//! `/components`: what filters are made of, shipped ones and uploaded ones.

use super::ApiState;
use super::auth::Caller;
use super::body::{self, read};
use super::page::{Page, PageQuery};
use super::problem::{Problem, no_content};
use super::query::Query;
use super::role::Role;
use crate::catalogue::Upload;
use crate::service::components::{self, ComponentDocument, Shelf};
use crate::store::components::{ComponentRow, ListedAfter};
use axum::extract::{Extension, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "components";
/// The media type of a component's bytes.
const WASM: &str = "application/wasm";

/// The routes.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list, upload))
        .routes(routes!(show, delete))
        .routes(routes!(activate))
        .routes(routes!(download))
        .routes(routes!(schema))
}

/// A component that was uploaded.
#[derive(Debug, Serialize, ToSchema)]
struct UploadedComponent {
    /// The component.
    component: ComponentDocument,
    /// Whether it was not there before.
    new: bool,
    /// Why it cannot be snapshotted, so that each message costs more; null where it can.
    #[schema(required)]
    unsnapshotable: Option<String>,
}

/// A component that was activated.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Activated)]
struct ActivatedComponent {
    /// The component.
    component: ComponentDocument,
    /// Whether it was not activated before.
    new: bool,
}

/// A row of the list, with its place in the order.
struct RankedComponent {
    component: ComponentDocument,
    place: PageEnd,
}

/// Where a page ended.
enum PageEnd {
    /// `shipped NAME`
    Shipped(String),
    /// `uploaded TIME DIGEST NAME`
    Uploaded(ListedAfter),
}

impl std::fmt::Display for PageEnd {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shipped(name) => write!(formatter, "shipped {name}"),
            Self::Uploaded(ListedAfter { name, uploaded_at, digest }) => {
                write!(formatter, "uploaded {uploaded_at} {digest} {name}")
            }
        }
    }
}

impl std::str::FromStr for PageEnd {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let words: Vec<&str> = text.splitn(4, ' ').collect();
        match words.as_slice() {
            ["shipped", name] => Ok(Self::Shipped((*name).to_owned())),
            ["uploaded", at, digest, name] => {
                let uploaded_at = at.parse().map_err(|_| ())?;
                Ok(Self::Uploaded(ListedAfter { name: (*name).to_owned(), uploaded_at, digest: (*digest).to_owned() }))
            }
            _ => Err(()),
        }
    }
}

async fn shelf(state: &ApiState) -> Result<Shelf<'_>, Problem> {
    Ok(Shelf::of(&state.store, &state.key, state.live.sandbox()).await?)
}

/// Lists the components: shipped ones first, then uploaded ones by name, the newest upload of a name first.
#[utoipa::path(get, path = "/components", tag = TAG, params(PageQuery), responses((status = 200, body = Page<ComponentDocument>)))]
async fn list(
    State(state): State<ApiState>,
    Query(query): Query<PageQuery>,
) -> Result<Page<ComponentDocument>, Problem> {
    let limit = query.limit()?;
    let after: Option<PageEnd> = query.after()?;
    let shelf = shelf(&state).await?;
    let mut rows = Vec::new();
    if !matches!(after, Some(PageEnd::Uploaded(_))) {
        let last = if let Some(PageEnd::Shipped(last)) = &after { Some(last.as_str()) } else { None };
        for shipped in shelf.shipped(last, usize::MAX).await {
            let place = PageEnd::Shipped(shipped.name.to_owned());
            rows.push(RankedComponent { component: shipped.into(), place });
        }
    }
    let after = after.and_then(|place| if let PageEnd::Uploaded(after) = place { Some(after) } else { None });
    for stored in shelf.uploaded(after.as_ref(), limit + 1).await? {
        let ComponentRow { name, uploaded_at, digest, .. } = stored.row.clone();
        rows.push(RankedComponent {
            component: stored.into(),
            place: PageEnd::Uploaded(ListedAfter { name, uploaded_at, digest }),
        });
    }
    Ok(Page::of(rows, limit, |row| row.place.to_string(), |row| row.component))
}

/// Uploads a component: a core module that carries its component type, or a component, as large as the setting
/// `max_component_size` allows. It is compiled and asked what it is in a process of its own before anything is stored.
/// Nothing that is in force changes: an admin activates it.
#[utoipa::path(post, path = "/components", tag = TAG,
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 200, body = UploadedComponent, description = "It was there before"), (status = 201, body = UploadedComponent)))]
async fn upload(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    body::expect_media_type(request.headers(), &[WASM])?;
    let bytes = read(request, &state).await?;
    let sandbox = state.live.sandbox().asked_by(caller.asker());
    let Upload { description, new, unsnapshotable } =
        components::upload(&state.store, &state.key, &sandbox, bytes, &caller.actor()).await?;
    let component = shelf(&state).await?.find(&format!("sha256:{}", description.digest)).await?.into();
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(UploadedComponent { component, new, unsnapshotable })).into_response())
}

/// Shows a component by its name, `name@version` or `sha256:` and its digest. A name means the shipped one, else the
/// newest version that is activated, else the newest upload.
#[utoipa::path(get, path = "/components/{name}", tag = TAG, params(("name" = String, Path)), responses((status = 200, body = ComponentDocument)))]
async fn show(
    State(state): State<ApiState>,
    Path(name): Path<String>,
) -> Result<axum::Json<ComponentDocument>, Problem> {
    Ok(axum::Json(shelf(&state).await?.find(&name).await?.into()))
}

/// The JSON Schema of the settings of a component's filters, as the component gives it.
#[utoipa::path(get, path = "/components/{name}/schema", tag = TAG, params(("name" = String, Path)), responses((status = 200, body = Object)))]
async fn schema(
    State(state): State<ApiState>,
    Path(name): Path<String>,
) -> Result<axum::Json<serde_json::Value>, Problem> {
    Ok(axum::Json(components::schema(&state.store, state.live.sandbox(), &name).await?))
}

/// Gives the bytes that were uploaded of a component, found as it is shown. Their SHA-256 is its digest.
#[utoipa::path(get, path = "/components/{name}/download", tag = TAG, params(("name" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/wasm")))]
async fn download(State(state): State<ApiState>, Path(name): Path<String>) -> Result<Response, Problem> {
    let bytes = components::download(&state.store, &name).await?;
    Ok(([(header::CONTENT_TYPE, WASM)], bytes).into_response())
}

/// Lets filters be made of an uploaded component. A name is enough where one version of it waits. No filter changes:
/// those that are to run it are upgraded, or made anew.
#[utoipa::path(post, path = "/components/{name}/activate", tag = TAG, params(("name" = String, Path)),
    responses((status = 200, body = ActivatedComponent)))]
async fn activate(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<axum::Json<ActivatedComponent>, Problem> {
    let (uploaded, new) = components::activate(&state.store, &name, &caller.actor()).await?;
    let component =
        shelf(&state).await?.described(&uploaded).await?.ok_or_else(|| Problem::not_found("component", &name))?;
    Ok(axum::Json(ActivatedComponent { component: component.into(), new }))
}

/// Deletes an uploaded component that no filter uses or would go back to. Whoever is no admin deletes only one that is
/// not activated.
#[utoipa::path(delete, path = "/components/{name}", tag = TAG, params(("name" = String, Path)), responses((status = 204)))]
async fn delete(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    components::delete(&state.store, &name, caller.role == Role::Admin, &caller.actor()).await?;
    Ok(no_content())
}
