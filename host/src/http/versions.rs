//! `…/versions`: what was configured before, who changed it, and back to it; the same for every kind.

use super::ApiState;
use super::auth::Caller;
use super::body::Json;
use super::configured::{self, check_match, editor, named, without_notes, without_shown};
use super::customer_users;
use super::page::{Page, PageQuery};
use super::problem::{PlacedMistake, Problem, no_content};
use super::query::Query;
use super::version_paths::{RestoreQuery, paths};
use crate::service::configured::{Editor, GivenKeys, Object};
use crate::service::customer_users::CustomerPlace;
use crate::service::settings;
use crate::service::versions::{
    self, Attributed, DIFFERENCES, Restoration, VersionDocument, VersionWithThing, VersionedThing,
};
use axum::Router;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use postigo_model::configured::form::{self, ConfiguredKind, LoadedKind};
use postigo_model::configured::{CustomerUser, KindVisitor, visit_kinds};
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const TAG: &str = "settings";

/// The routes of all kinds.
pub fn routes_of_kinds() -> Router<ApiState> {
    let mut routes = Routes(Router::new());
    visit_kinds(&mut routes);
    routes.0
}

/// The routes of the general settings.
pub fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(list_settings, forget_settings))
        .routes(routes!(show_settings, forget_settings_version))
        .routes(routes!(restore_settings))
}

struct Routes(Router<ApiState>);

impl Routes {
    fn add<K: ConfiguredKind>(&mut self, parameter: &str, restore: axum::routing::MethodRouter<ApiState>) {
        let [all, one, again] = paths::<K>(parameter);
        let routes = std::mem::take(&mut self.0);
        self.0 = routes
            .route(&all, get(list::<K>).delete(forget::<K>))
            .route(&one, get(show::<K>).delete(forget_one::<K>))
            .route(&again, restore);
    }
}

impl KindVisitor for Routes {
    fn loaded<K: LoadedKind>(&mut self) {
        self.add::<K>("name", post(restore::<K>));
    }

    fn looked_up<K: ConfiguredKind>(&mut self) {
        self.add::<K>(K::NAME, post(restore_customer));
    }
}

async fn page(state: &ApiState, thing: VersionedThing, query: PageQuery) -> Result<Page<VersionDocument>, Problem> {
    let store = state.store.clone();
    let read = query.read(
        |version: &VersionDocument| version.number.to_string(),
        |before, limit| async move { versions::list(&store, &thing, before, limit).await },
    );
    read.await
}

async fn list<K: ConfiguredKind>(
    State(state): State<ApiState>,
    Path(name): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Page<VersionDocument>, Problem> {
    page(&state, VersionedThing::of::<K>(&name), query).await
}

async fn show<K: ConfiguredKind>(
    State(state): State<ApiState>,
    Path((name, number)): Path<(String, i64)>,
) -> Result<axum::Json<VersionWithThing>, Problem> {
    Ok(axum::Json(versions::show(&state.store, &VersionedThing::of::<K>(&name), number).await?))
}

async fn forget<K: ConfiguredKind>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    forgotten(&state, &caller, &VersionedThing::of::<K>(&name), None).await
}

async fn forget_one<K: ConfiguredKind>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path((name, number)): Path<(String, i64)>,
) -> Result<Response, Problem> {
    forgotten(&state, &caller, &VersionedThing::of::<K>(&name), Some(number)).await
}

async fn forgotten(
    state: &ApiState,
    caller: &Caller,
    thing: &VersionedThing,
    number: Option<i64>,
) -> Result<Response, Problem> {
    versions::forget(&state.store, thing, number, &caller.actor()).await?;
    Ok(no_content())
}

async fn restore<K: LoadedKind>(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Path((name, number)): Path<(String, i64)>,
    Query(RestoreQuery { check }): Query<RestoreQuery>,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    let given = object(without_shown::<K>(named::<K>(&name, body)?))?;
    let actor = caller.actor();
    let editor = Editor { is_trial: check, ..editor(&state, &caller, &actor) };
    let give = |_: &K| GivenKeys { fields: given.clone(), problems: Vec::new() };
    let expect = |earlier: Option<&K>| check_match(&headers, earlier);
    let saved = versions::restore::<K>(editor, &name, number, give, expect).await?;
    let mut more = differences(&saved.value);
    if check {
        configured::attribute::<K>(&state, &name, &mut more).await;
        return Ok(configured::answer_tried(&saved, saved.object::<K>(&name), more));
    }
    let status = status(&saved.value, check);
    Ok(configured::answer_thing::<K, _>(&state, &saved, &name, more, status).await)
}

/// What differs, as it is told beside a thing.
fn differences(restoration: &Restoration) -> Object {
    Object::from_iter([(DIFFERENCES.to_owned(), json!(restoration.differences))])
}

fn status(restoration: &Restoration, check: bool) -> StatusCode {
    if restoration.is_new && !check { StatusCode::CREATED } else { StatusCode::OK }
}

async fn restore_customer(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path((login, number)): Path<(String, i64)>,
    Query(RestoreQuery { check }): Query<RestoreQuery>,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    let fields = customer_users::named(&login, body)?;
    let give = |_: &CustomerUser| GivenKeys { fields: fields.clone(), problems: Vec::new() };
    let actor = caller.actor();
    let place = CustomerPlace { store: &state.store, key: &state.key, actor: &actor, is_trial: check };
    let (customer, restoration) = versions::restore_customer(place, &login, number, give).await?;
    let mut shown = form::write(&customer);
    Attributed::of(&state.store, CustomerUser::KIND, Some(&[&login])).await?.add_to(&login, &mut shown);
    shown.extend(differences(&restoration));
    Ok((status(&restoration, check), axum::Json(shown)).into_response())
}

fn object(body: Value) -> Result<Object, Problem> {
    match body {
        Value::Object(fields) => Ok(fields),
        _ => Err(Problem::invalid(vec![PlacedMistake::at(
            "",
            "It must be an object of the keys that are to be otherwise than in the version; an empty one changes none.",
        )])),
    }
}

/// Lists the versions of the settings, the latest first.
#[utoipa::path(get, path = "/settings/versions", tag = TAG, params(PageQuery), responses((status = 200, body = Page<VersionDocument>)))]
async fn list_settings(
    State(state): State<ApiState>,
    Query(query): Query<PageQuery>,
) -> Result<Page<VersionDocument>, Problem> {
    page(&state, VersionedThing::settings(), query).await
}

/// Shows a version of the settings.
#[utoipa::path(get, path = "/settings/versions/{number}", tag = TAG, params(("number" = i64, Path)),
    responses((status = 200, body = VersionWithThing)))]
async fn show_settings(
    State(state): State<ApiState>,
    Path(number): Path<i64>,
) -> Result<axum::Json<VersionWithThing>, Problem> {
    Ok(axum::Json(versions::show(&state.store, &VersionedThing::settings(), number).await?))
}

/// Makes the settings what they were by a version, with the keys of the body otherwise.
#[utoipa::path(post, path = "/settings/versions/{number}/restore", tag = TAG, params(("number" = i64, Path), RestoreQuery),
    request_body = ref("#/components/schemas/SettingsChange"),
    responses((status = 200, body = ref("#/components/schemas/Settings")), (status = 202, body = ref("#/components/schemas/Settings"), description = "Saved, not in force yet")))]
async fn restore_settings(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<i64>,
    Query(RestoreQuery { check }): Query<RestoreQuery>,
    Json(body): Json<Value>,
) -> Result<Response, Problem> {
    let mut fields = object(body)?;
    without_notes(&mut fields);
    let actor = caller.actor();
    let editor = Editor { is_trial: check, ..editor(&state, &caller, &actor) };
    let saved = versions::restore_settings(editor, number, &fields).await?;
    let shown = settings::show(&saved.configuration);
    if check {
        return Ok(configured::answer_tried(&saved, shown, differences(&saved.value)));
    }
    let status = status(&saved.value, check);
    Ok(configured::answer_with(&state, &saved, shown, differences(&saved.value), status).await)
}

/// Has the versions of the settings forget what they were, wherever that is not what they are now; who changed them, and
/// when, stays.
#[utoipa::path(delete, path = "/settings/versions", tag = TAG, responses((status = 204, description = "Forgotten")))]
async fn forget_settings(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    forgotten(&state, &caller, &VersionedThing::settings(), None).await
}

/// Has a version of the settings forget what they were; who changed them, and when, stays.
#[utoipa::path(delete, path = "/settings/versions/{number}", tag = TAG, params(("number" = i64, Path)),
    responses((status = 204, description = "Forgotten")))]
async fn forget_settings_version(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<i64>,
) -> Result<Response, Problem> {
    forgotten(&state, &caller, &VersionedThing::settings(), Some(number)).await
}
