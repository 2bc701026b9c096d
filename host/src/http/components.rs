//! `/components`: what filters are made of, shipped ones and uploaded ones.

use super::ApiState;
use super::auth::Caller;
use super::body::{self, read};
use super::page::{Page, PageQuery};
use super::problem::{Kind, Problem, no_content};
use super::query::Query;
use super::role::Role;
use crate::catalogue::{self, ActivateError, Catalogue, Found, Unknown, UploadError};
use crate::chain::shipped_component;
use crate::store::components::{self, After, Listed, Said, Uploaded};
use crate::store::{StoreError, configuration};
use axum::extract::{Extension, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use postigo_model::timestamp::rfc3339;
use postigo_sandbox::{Description, shipped};
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

impl From<Unknown> for Problem {
    fn from(error: Unknown) -> Self {
        match error {
            Unknown::Missing(sentence) => Self::new(Kind::NotFound, sentence),
            Unknown::Unsuitable(sentence) => Self::new(Kind::Conflict, sentence),
        }
    }
}

impl From<ActivateError> for Problem {
    fn from(error: ActivateError) -> Self {
        match error {
            ActivateError::Unknown(error) => error.into(),
            error @ ActivateError::NotYours(_) => Self::new(Kind::Forbidden, error.to_string()),
            ActivateError::Store(error) => error.into(),
        }
    }
}

impl From<UploadError> for Problem {
    fn from(error: UploadError) -> Self {
        match error {
            error @ UploadError::Refused(_) => Self::new(Kind::Invalid, error.to_string()),
            error @ UploadError::Shipped(_) => Self::new(Kind::Conflict, error.to_string()),
            UploadError::Store(error) => error.into(),
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

/// What is known of components beside what they say of themselves.
struct Shelf<'s> {
    state: &'s ApiState,
    /// By filter: its component as it is shown, and its digest.
    filters: Vec<(String, String, Option<String>)>,
}

impl<'s> Shelf<'s> {
    async fn of(state: &'s ApiState) -> Result<Self, Problem> {
        let configuration = configuration::load(&state.store, &state.key).await?;
        let filters = configuration.filters.into_values().map(|filter| (filter.name, filter.component, filter.digest));
        Ok(Self { state, filters: filters.collect() })
    }

    async fn shipped(&self, name: &str) -> Option<Component> {
        let component = shipped_component(name, self.state.live.sandbox()).await?;
        let Description { digest, version, summary, grants, headers, screens, .. } = component.description.as_ref().clone();
        let users = self.filters.iter().filter(|(_, component, digest)| component == name && digest.is_none());
        Some(Component {
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
            used_by: users.map(|(filter, ..)| filter.clone()).collect(),
        })
    }

    /// `said` is what it says of itself, or why that cannot be read.
    fn uploaded(&self, uploaded: &Uploaded, said: Result<Said, String>) -> Component {
        let (said, unreadable) = said.map_or_else(|why| (Said::default(), Some(why)), |said| (said, None));
        let Said { summary, grants, headers, screens } = said;
        let users = self.filters.iter().filter(|(.., digest)| digest.as_ref() == Some(&uploaded.digest));
        Component {
            digest: uploaded.digest.clone(),
            name: uploaded.name.clone(),
            version: uploaded.version.clone(),
            summary,
            grants,
            headers,
            screens,
            unreadable,
            shipped: false,
            reference: uploaded.shown(),
            activated: uploaded.activated_at.is_some(),
            activated_at: uploaded.activated_at.map(rfc3339),
            activated_by: uploaded.activated_by.clone().filter(|by| !by.is_empty()),
            uploaded_at: Some(rfc3339(uploaded.uploaded_at)),
            uploaded_by: Some(uploaded.uploaded_by.clone()).filter(|by| !by.is_empty()),
            used_by: users.map(|(filter, ..)| filter.clone()).collect(),
        }
    }

    /// What an uploaded component is; none where it was deleted meanwhile.
    async fn described(&self, uploaded: &Uploaded) -> Result<Option<Component>, Problem> {
        let said = match components::description(&self.state.store, &uploaded.digest).await {
            Ok(None) => return Ok(None),
            Ok(Some(Description { summary, grants, headers, screens, .. })) => Ok(Said { summary, grants, headers, screens }),
            Err(StoreError::Corrupt { reason, .. }) => Err(reason),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(self.uploaded(uploaded, said)))
    }

    /// By name, version or digest.
    async fn find(&self, reference: &str) -> Result<Component, Problem> {
        let catalogue = Catalogue::load(&self.state.store).await?;
        let found = match catalogue.find(reference)? {
            Found::Shipped(name) => self.shipped(name).await,
            Found::Uploaded(uploaded) => self.described(uploaded).await?,
        };
        found.ok_or_else(|| Problem::not_found("component", reference))
    }
}

/// Lists the components: shipped ones first, then uploaded ones by name, the newest upload of a name first.
#[utoipa::path(get, path = "/components", tag = TAG, params(PageQuery), responses((status = 200, body = Page<Component>)))]
async fn list(State(state): State<ApiState>, Query(query): Query<PageQuery>) -> Result<axum::Json<Page<Component>>, Problem> {
    let limit = query.limit()?;
    let after: Option<Place> = query.after()?;
    let shelf = Shelf::of(&state).await?;
    let mut rows = Vec::new();
    if !matches!(after, Some(Place::Uploaded(_))) {
        let mut shipped: Vec<&str> = shipped::components().iter().map(|(name, _)| *name).collect();
        shipped.sort_unstable();
        let is_left = |name: &&str| !matches!(&after, Some(Place::Shipped(last)) if *name <= last.as_str());
        let shipped: Vec<&str> = shipped.into_iter().filter(is_left).collect();
        for name in shipped {
            if let Some(component) = shelf.shipped(name).await {
                rows.push(Ranked { component, place: Place::Shipped(name.to_owned()) });
            }
        }
    }
    let after = after.and_then(|place| if let Place::Uploaded(after) = place { Some(after) } else { None });
    for Listed { uploaded, said } in components::list(&state.store, after.as_ref(), limit + 1).await? {
        let component = shelf.uploaded(&uploaded, said);
        let place = After { name: uploaded.name, uploaded_at: uploaded.uploaded_at, digest: uploaded.digest };
        rows.push(Ranked { component, place: Place::Uploaded(place) });
    }
    Ok(axum::Json(Page::of(rows, limit, |row| row.place.to_string(), |row| row.component)))
}

/// Uploads a component: a core module that carries its component type, or a component, at most 10 MiB. It is compiled and asked what it
/// is in a process of its own before anything is stored. Nothing that is in force changes: an admin activates it.
#[utoipa::path(post, path = "/components", tag = TAG,
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 200, body = UploadedComponent, description = "It was there before"), (status = 201, body = UploadedComponent)))]
async fn upload(State(state): State<ApiState>, Extension(caller): Extension<Caller>, request: Request) -> Result<Response, Problem> {
    body::expect_media_type(request.headers(), &[WASM])?;
    let bytes = read(request, &state).await?;
    let catalogue::Upload { description, new, unsnapshotable } =
        catalogue::upload(&state.store, &state.live.sandbox().asked_by(caller.asker()), bytes, &caller.actor()).await?;
    let component = Shelf::of(&state).await?.find(&format!("sha256:{}", description.digest)).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, axum::Json(UploadedComponent { component, new, unsnapshotable })).into_response())
}

/// Shows a component by its name, `name@version` or `sha256:` and its digest. A name means the shipped one, else the newest version that is
/// activated, else the newest upload.
#[utoipa::path(get, path = "/components/{name}", tag = TAG, params(("name" = String, Path)), responses((status = 200, body = Component)))]
async fn show(State(state): State<ApiState>, Path(name): Path<String>) -> Result<axum::Json<Component>, Problem> {
    Ok(axum::Json(Shelf::of(&state).await?.find(&name).await?))
}

/// The JSON Schema of the settings of a component's filters, as the component gives it.
#[utoipa::path(get, path = "/components/{name}/schema", tag = TAG, params(("name" = String, Path)), responses((status = 200, body = Object)))]
async fn schema(State(state): State<ApiState>, Path(name): Path<String>) -> Result<axum::Json<serde_json::Value>, Problem> {
    let catalogue = Catalogue::load(&state.store).await?;
    let description = match catalogue.find(&name)? {
        Found::Shipped(name) => shipped_component(name, state.live.sandbox()).await.map(|component| component.description.as_ref().clone()),
        Found::Uploaded(uploaded) => components::description(&state.store, &uploaded.digest).await?,
    };
    let description = description.ok_or_else(|| Problem::not_found("component", &name))?;
    Ok(axum::Json(description.settings_schema))
}

/// Gives the bytes that were uploaded of a component, found as it is shown. Their SHA-256 is its digest.
#[utoipa::path(get, path = "/components/{name}/download", tag = TAG, params(("name" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/wasm")))]
async fn download(State(state): State<ApiState>, Path(name): Path<String>) -> Result<Response, Problem> {
    let catalogue = Catalogue::load(&state.store).await?;
    let bytes = match catalogue.find(&name)? {
        Found::Shipped(name) => shipped::bytes(name).map(<[u8]>::to_vec),
        Found::Uploaded(uploaded) => components::source(&state.store, &uploaded.digest).await?,
    };
    let bytes = bytes.ok_or_else(|| Problem::not_found("component", &name))?;
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
    let (uploaded, new) = catalogue::activate(&state.store, &name, &caller.actor()).await?;
    let component = Shelf::of(&state).await?.described(&uploaded).await?.ok_or_else(|| Problem::not_found("component", &name))?;
    Ok(axum::Json(Activated { component, new }))
}

/// Deletes an uploaded component that no filter uses or would go back to. Whoever is no admin deletes only one that is not activated.
#[utoipa::path(delete, path = "/components/{name}", tag = TAG, params(("name" = String, Path)), responses((status = 204)))]
async fn delete(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    catalogue::delete(&state.store, &name, caller.role == Role::Admin).await?;
    Ok(no_content())
}
