//! `/components`: what filters are made of, shipped ones and uploaded ones.

use super::ApiState;
use super::auth::Caller;
use super::body::{self, read};
use super::page::{Page, PageQuery};
use super::problem::{Problem, no_content};
use super::query::Query;
use super::role::Role;
use crate::catalogue::Upload;
use crate::service::components::{self, Shelf, Stored};
use crate::store::components::{After, Said, Uploaded};
use axum::extract::{Extension, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use postigo_model::timestamp::rfc3339;
use postigo_sandbox::Description;
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
    /// Why what is stored of it cannot be read, so that nothing is told above of what it says of itself, and filters of it fail; null where it
    /// can. Uploading the same file again mends it.
    #[schema(required)]
    unreadable: Option<String>,
    /// Whether it ships with Postigo; a shipped one is what its name means.
    shipped: bool,
    /// How a filter names it: a shipped one's name, `name@version`, or `sha256:` and its digest where another has the same version.
    reference: String,
    /// Whether valid filters may be made of it: it ships with Postigo, or an admin activated it.
    activated: bool,
    /// RFC 3339, UTC; null where it is not activated, and for a shipped one.
    #[schema(required)]
    activated_at: Option<String>,
    /// Who activated it; null where nobody did.
    #[schema(required)]
    activated_by: Option<String>,
    /// RFC 3339, UTC; null for a shipped one.
    #[schema(required)]
    uploaded_at: Option<String>,
    /// Who uploaded it; null for a shipped one, and where it was not noted.
    #[schema(required)]
    uploaded_by: Option<String>,
    /// The filters that are made of it, valid or not.
    used_by: Vec<String>,
}

/// A component that was uploaded.
#[derive(Debug, Serialize, ToSchema)]
struct UploadedComponent {
    /// The component.
    component: Component,
    /// Whether it was not there before.
    new: bool,
    /// Why it cannot be snapshotted, so that each message costs more; null where it can.
    #[schema(required)]
    unsnapshotable: Option<String>,
}

/// A component that was activated.
#[derive(Debug, Serialize, ToSchema)]
struct Activated {
    /// The component.
    component: Component,
    /// Whether it was not activated before.
    new: bool,
}

impl From<components::Shipped> for Component {
    fn from(components::Shipped { name, description, used_by }: components::Shipped) -> Self {
        let Description { digest, version, summary, grants, headers, screens, .. } = description.as_ref().clone();
        Self {
            digest,
            name: name.to_owned(),
            version,
            summary,
            grants,
            headers,
            screens,
            unreadable: None,
            shipped: true,
            reference: name.to_owned(),
            activated: true,
            activated_at: None,
            activated_by: None,
            uploaded_at: None,
            uploaded_by: None,
            used_by,
        }
    }
}

impl From<Stored<Said>> for Component {
    fn from(Stored { row, said, used_by }: Stored<Said>) -> Self {
        let (said, unreadable) = said.map_or_else(|why| (Said::default(), Some(why)), |said| (said, None));
        let Said { summary, grants, headers, screens } = said;
        Self {
            summary,
            grants,
            headers,
            screens,
            unreadable,
            shipped: false,
            reference: row.shown(),
            activated: row.activated_at.is_some(),
            activated_at: row.activated_at.map(rfc3339),
            activated_by: row.activated_by.filter(|by| !by.is_empty()),
            uploaded_at: Some(rfc3339(row.uploaded_at)),
            uploaded_by: Some(row.uploaded_by).filter(|by| !by.is_empty()),
            digest: row.digest,
            name: row.name,
            version: row.version,
            used_by,
        }
    }
}

impl From<Stored<Description>> for Component {
    fn from(Stored { row, said, used_by }: Stored<Description>) -> Self {
        let said = said.map(|Description { summary, grants, headers, screens, .. }| Said { summary, grants, headers, screens });
        Stored { row, said, used_by }.into()
    }
}

impl From<components::Component> for Component {
    fn from(component: components::Component) -> Self {
        match component {
            components::Component::Shipped(shipped) => shipped.into(),
            components::Component::Uploaded(uploaded) => (*uploaded).into(),
        }
    }
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

async fn shelf(state: &ApiState) -> Result<Shelf<'_>, Problem> {
    Ok(Shelf::of(&state.store, &state.key, state.live.sandbox()).await?)
}

/// Lists the components: shipped ones first, then uploaded ones by name, the newest upload of a name first.
#[utoipa::path(get, path = "/components", tag = TAG, params(PageQuery), responses((status = 200, body = Page<Component>)))]
async fn list(State(state): State<ApiState>, Query(query): Query<PageQuery>) -> Result<axum::Json<Page<Component>>, Problem> {
    let limit = query.limit()?;
    let after: Option<Place> = query.after()?;
    let shelf = shelf(&state).await?;
    let mut rows = Vec::new();
    if !matches!(after, Some(Place::Uploaded(_))) {
        let last = if let Some(Place::Shipped(last)) = &after { Some(last.as_str()) } else { None };
        for shipped in shelf.shipped(last, usize::MAX).await {
            let place = Place::Shipped(shipped.name.to_owned());
            rows.push(Ranked { component: shipped.into(), place });
        }
    }
    let after = after.and_then(|place| if let Place::Uploaded(after) = place { Some(after) } else { None });
    for stored in shelf.uploaded(after.as_ref(), limit + 1).await? {
        let Uploaded { name, uploaded_at, digest, .. } = stored.row.clone();
        rows.push(Ranked { component: stored.into(), place: Place::Uploaded(After { name, uploaded_at, digest }) });
    }
    Ok(axum::Json(Page::of(rows, limit, |row| row.place.to_string(), |row| row.component)))
}

/// Uploads a component: a core module that carries its component type, or a component, as large as the setting `max_component_size` allows.
/// It is compiled and asked what it is in a process of its own before anything is stored. Nothing that is in force changes: an admin
/// activates it.
#[utoipa::path(post, path = "/components", tag = TAG,
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 200, body = UploadedComponent, description = "It was there before"), (status = 201, body = UploadedComponent)))]
async fn upload(State(state): State<ApiState>, Extension(caller): Extension<Caller>, request: Request) -> Result<Response, Problem> {
    body::expect_media_type(request.headers(), &[WASM])?;
    let bytes = read(request, &state).await?;
    let sandbox = state.live.sandbox().asked_by(caller.asker());
    let Upload { description, new, unsnapshotable } =
        components::upload(&state.store, &state.key, &sandbox, bytes, &caller.actor()).await?;
    let component = shelf(&state).await?.find(&format!("sha256:{}", description.digest)).await?.into();
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(UploadedComponent { component, new, unsnapshotable })).into_response())
}

/// Shows a component by its name, `name@version` or `sha256:` and its digest. A name means the shipped one, else the newest version that is
/// activated, else the newest upload.
#[utoipa::path(get, path = "/components/{name}", tag = TAG, params(("name" = String, Path)), responses((status = 200, body = Component)))]
async fn show(State(state): State<ApiState>, Path(name): Path<String>) -> Result<axum::Json<Component>, Problem> {
    Ok(axum::Json(shelf(&state).await?.find(&name).await?.into()))
}

/// The JSON Schema of the settings of a component's filters, as the component gives it.
#[utoipa::path(get, path = "/components/{name}/schema", tag = TAG, params(("name" = String, Path)), responses((status = 200, body = Object)))]
async fn schema(State(state): State<ApiState>, Path(name): Path<String>) -> Result<axum::Json<serde_json::Value>, Problem> {
    Ok(axum::Json(components::schema(&state.store, state.live.sandbox(), &name).await?))
}

/// Gives the bytes that were uploaded of a component, found as it is shown. Their SHA-256 is its digest.
#[utoipa::path(get, path = "/components/{name}/download", tag = TAG, params(("name" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/wasm")))]
async fn download(State(state): State<ApiState>, Path(name): Path<String>) -> Result<Response, Problem> {
    let bytes = components::download(&state.store, &name).await?;
    Ok(([(header::CONTENT_TYPE, WASM)], bytes).into_response())
}

/// Lets filters be made of an uploaded component. A name is enough where one version of it waits. No filter changes: those that are to run
/// it are upgraded, or made anew.
#[utoipa::path(post, path = "/components/{name}/activate", tag = TAG, params(("name" = String, Path)),
    responses((status = 200, body = Activated)))]
async fn activate(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<axum::Json<Activated>, Problem> {
    let (uploaded, new) = components::activate(&state.store, &name, &caller.actor()).await?;
    let component = shelf(&state).await?.described(&uploaded).await?.ok_or_else(|| Problem::not_found("component", &name))?;
    Ok(axum::Json(Activated { component: component.into(), new }))
}

/// Deletes an uploaded component that no filter uses or would go back to. Whoever is no admin deletes only one that is not activated.
#[utoipa::path(delete, path = "/components/{name}", tag = TAG, params(("name" = String, Path)), responses((status = 204)))]
async fn delete(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    components::delete(&state.store, &name, caller.role == Role::Admin).await?;
    Ok(no_content())
}
