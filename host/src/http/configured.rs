//! What all configured things (queues, system addresses, accounts, dynamic fields, filters, …) have in common as REST
//! resources.
//!
//! Their JSON is the form of the configuration file, read and written by the same code
//! ([`postigo_model::configured::form`]), held to the same rules and saved the same way: all of a request or nothing,
//! with every mistake named by its place. Secrets are taken and never given.
//!
//! Each representation has an ETag; `If-Match` makes a change conditional on it, so that two people who edit the same
//! thing do not undo each other's work without noticing.

use super::ApiState;
use super::auth::Caller;
use super::page::{ListQuery, Page, PageQuery};
use super::problem::{PlacedMistake, Problem, no_content};
use super::refused;
use super::role::Role;
use crate::config::ConfigurationPlace;
use crate::oauth2::{Owner, SignInState};
use crate::service::ServiceError;
use crate::service::behind::BEHIND;
use crate::service::configured::{self as service, Editor, Object, SIGN_IN, SavedChange, WARNINGS};
use crate::service::in_force;
use crate::service::versions::{Attributed, DIFFERENCES, without_attribution};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use postigo_model::actor::Actor;
use postigo_model::configured::Configuration;
use postigo_model::configured::form::{self, LoadedKind};
use postigo_model::hexadecimal::hexadecimal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A page of the things of a kind, in byte order of their names.
pub async fn list<K: LoadedKind>(state: &ApiState, query: ListQuery) -> Result<Page<Value>, Problem> {
    let configuration = service::load(&state.store, &state.key).await?;
    let found =
        service::list::<K>(&configuration, query.search.as_deref()).map(|(name, object)| (name, Value::Object(object)));
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let mut page = Page::cut(found, &page, |(name, _)| name.clone())?;
    let names: Vec<String> = page.items.iter().map(|(name, _)| name.clone()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let attributed = Attributed::of(&state.store, K::KIND, Some(&names)).await?;
    for (name, object) in &mut page.items {
        if let Value::Object(object) = object {
            attributed.add_to(name, object);
            attach_sign_in::<K>(state, &configuration, name, object).await?;
        }
    }
    Ok(page.map(|(_, object)| object))
}

/// One thing of a kind, as an answer.
pub async fn show<K: LoadedKind>(state: &ApiState, headers: &HeaderMap, name: &str) -> Result<Response, Problem> {
    let configuration = service::load(&state.store, &state.key).await?;
    let mut object = form::write(service::find::<K>(&configuration, name)?);
    // Tells what is configured; how a sign-in stands is shown beside it.
    let tag = etag(&object);
    if names_tag(headers, &header::IF_NONE_MATCH, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let kept = service::kept_name::<K>(name);
    Attributed::of(&state.store, K::KIND, Some(&[&kept])).await?.add_to(&kept, &mut object);
    attach_sign_in::<K>(state, &configuration, name, &mut object).await?;
    Ok((StatusCode::OK, [(header::ETAG, tag)], axum::Json(object)).into_response())
}

/// Adds to an account or transport that is shown how its sign-in stands, where it signs in by OAuth2.
async fn attach_sign_in<K: LoadedKind>(
    state: &ApiState,
    configuration: &Configuration,
    name: &str,
    object: &mut Object,
) -> Result<(), Problem> {
    if let Some(sign_in) = service::sign_in::<K>(configuration, name, object, &state.tokens).await? {
        // Codes to type are for those who may sign in.
        let sign_in = SignInState { under_way: None, ..sign_in };
        object.insert(SIGN_IN.to_owned(), serde_json::to_value(sign_in).unwrap_or_default());
    }
    Ok(())
}

/// Adds a thing; there must be none of its name.
pub async fn create<K: LoadedKind>(state: &ApiState, caller: &Caller, body: Value) -> Result<Response, Problem> {
    let actor = caller.actor();
    let saved = service::create::<K>(editor(state, caller, &actor), &without_shown::<K>(body)).await?;
    let name = &saved.value;
    let mut response = answer_thing::<K, _>(state, &saved, name, Object::new(), StatusCode::CREATED).await;
    if let Ok(location) =
        HeaderValue::from_str(&format!("{}{}/{}", super::BASE, K::ABOUT.path, utf8_percent_encode(name, IN_SEGMENT)))
    {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Puts a whole thing in the place of this name: what the body leaves out has its default, secrets that it leaves out
/// stay.
pub async fn replace<K: LoadedKind>(
    state: &ApiState,
    caller: &Caller,
    headers: &HeaderMap,
    name: &str,
    body: Value,
) -> Result<Response, Problem> {
    let body = without_shown::<K>(named::<K>(name, body)?);
    let actor = caller.actor();
    let saved =
        service::replace::<K>(editor(state, caller, &actor), name, &body, |earlier| check_match(headers, earlier))
            .await?;
    let status = if saved.value { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer_thing::<K, _>(state, &saved, name, Object::new(), status).await)
}

/// Changes the keys of a thing that the body names; tables inside it likewise, but for a filter's `settings`, which are
/// replaced.
pub async fn change<K: LoadedKind>(
    state: &ApiState,
    caller: &Caller,
    headers: &HeaderMap,
    name: &str,
    body: Value,
) -> Result<Response, Problem> {
    let body = without_shown::<K>(named::<K>(name, body)?);
    let actor = caller.actor();
    let saved =
        service::alter::<K>(editor(state, caller, &actor), name, &body, |earlier| check_match(headers, earlier))
            .await?;
    Ok(answer_thing::<K, _>(state, &saved, name, Object::new(), StatusCode::OK).await)
}

/// Removes a thing.
pub async fn delete<K: LoadedKind>(
    state: &ApiState,
    caller: &Caller,
    headers: &HeaderMap,
    name: &str,
) -> Result<Response, Problem> {
    let actor = caller.actor();
    service::delete::<K>(editor(state, caller, &actor), name, |earlier| check_match(headers, earlier)).await?;
    let not_yet = in_force::take_up(&state.live).await;
    Ok(if not_yet.is_nobody() {
        no_content()
    } else {
        (StatusCode::ACCEPTED, axum::Json(json!({ BEHIND: not_yet.hosts }))).into_response()
    })
}

/// The caller as one who changes the configuration, noted as `actor`. What is prepared for it takes the caller's places
/// in the sandbox.
pub fn editor<'e>(state: &'e ApiState, caller: &Caller, actor: &'e Actor) -> Editor<'e> {
    let place = ConfigurationPlace {
        store: &state.store,
        key: &state.key,
        sandbox: state.live.sandbox(),
        asker: caller.asker(),
        actor,
    };
    Editor { place, machine: Some(&state.machine), gives_grants: caller.role == Role::Admin, is_trial: false }
}

/// Answers with a thing that was saved, as it is shown, and with `more` that is told beside it.
pub async fn answer_thing<K: LoadedKind, T>(
    state: &ApiState,
    saved: &SavedChange<T>,
    name: &str,
    mut more: Object,
    status: StatusCode,
) -> Response {
    attribute::<K>(state, name, &mut more).await;
    answer_with(state, saved, saved.object::<K>(name), more, status).await
}

/// Adds to what is told beside a thing who made and changed it.
pub async fn attribute<K: LoadedKind>(state: &ApiState, name: &str, more: &mut Object) {
    let kept = service::kept_name::<K>(name);
    match Attributed::of(&state.store, K::KIND, Some(&[&kept])).await {
        Ok(attributed) => attributed.add_to(&kept, more),
        // What is told of it is right all the same.
        Err(error) => tracing::warn!(%error, "who made and changed a thing could not be read for an answer"),
    }
}

/// Answers with what was saved, and what of it is worth a second look, as soon as all hosts work by it; else with 202,
/// and with those that do not yet.
pub async fn answer_saved<T>(state: &ApiState, saved: &SavedChange<T>, object: Object, status: StatusCode) -> Response {
    answer_with(state, saved, object, Object::new(), status).await
}

/// The same, with `more` that is told beside it.
pub async fn answer_with<T>(
    state: &ApiState,
    saved: &SavedChange<T>,
    mut object: Object,
    more: Object,
    mut status: StatusCode,
) -> Response {
    let not_yet = in_force::take_up(&state.live).await;
    // Of the thing itself, as it is shown from now on.
    let tag = etag(&object);
    add_notes(&mut object, saved, more);
    if !not_yet.is_nobody() {
        object.insert(BEHIND.to_owned(), json!(not_yet.hosts));
        status = StatusCode::ACCEPTED;
    }
    (status, [(header::ETAG, tag)], axum::Json(object)).into_response()
}

/// Answers with what a change was tried to make, and what of it is worth a second look: nothing is in force by it, and
/// what has a tag is what is stored.
pub fn answer_tried<T>(saved: &SavedChange<T>, mut object: Object, more: Object) -> Response {
    add_notes(&mut object, saved, more);
    (StatusCode::OK, axum::Json(object)).into_response()
}

fn add_notes<T>(object: &mut Object, saved: &SavedChange<T>, more: Object) {
    object.extend(more);
    if !saved.warnings.is_empty() {
        let warnings: Vec<PlacedMistake> = saved.warnings.iter().map(refused::warning).collect();
        object.insert(WARNINGS.to_owned(), json!(warnings));
    }
}

/// Takes out of a body what only answers have: what is told of a change, and who made and changed the thing.
pub fn without_notes(fields: &mut Object) {
    fields.remove(BEHIND);
    fields.remove(WARNINGS);
    fields.remove(DIFFERENCES);
    without_attribution(fields);
}

/// The body with the name that the path gave; it may repeat the name, and may not give another.
pub fn named<K: LoadedKind>(name: &str, body: Value) -> Result<Value, Problem> {
    let Value::Object(mut fields) = body else { return Ok(body) };
    let given = fields.entry(K::NAME).or_insert_with(|| Value::String(name.to_owned()));
    let same = given.as_str().is_some_and(|given| service::is_same(K::NAME, given, name));
    if !same {
        let sentence = format!("The name in the path is \"{name}\"; a {} cannot be renamed.", service::what::<K>());
        return Err(Problem::invalid(vec![PlacedMistake::at(format!("/{}", K::NAME), sentence)]));
    }
    Ok(Value::Object(fields))
}

/// The body without what is only shown, how a sign-in stands and what was told of a change: what was read can be
/// written.
pub fn without_shown<K: LoadedKind>(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        without_notes(fields);
    }
    if let Some(fields) = body.as_object_mut().filter(|_| Owner::of_kind(K::KIND, "").is_some()) {
        fields.remove(SIGN_IN);
    }
    body
}

/// A thing's representation, with its ETag.
pub fn answer(status: StatusCode, object: Object) -> Response {
    (status, [(header::ETAG, etag(&object))], axum::Json(object)).into_response()
}

fn etag(object: &Object) -> String {
    let digest = Sha256::digest(serde_json::to_vec(object).unwrap_or_default());
    format!("\"{}\"", hexadecimal(digest.get(..8).unwrap_or_default()))
}

/// Whether a header of entity tags (RFC 9110 section 13.1) names this one, or any.
fn names_tag(headers: &HeaderMap, name: &HeaderName, tag: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|named| named == "*" || named.trim_start_matches("W/") == tag)
}

/// Holds a change to its `If-Match` and `If-None-Match: *`.
pub fn check_match<K: LoadedKind>(headers: &HeaderMap, earlier: Option<&K>) -> Result<(), ServiceError> {
    let tag = earlier.map(|thing| etag(&form::write(thing))).unwrap_or_default();
    let fresh =
        !headers.contains_key(header::IF_MATCH) || (earlier.is_some() && names_tag(headers, &header::IF_MATCH, &tag));
    let absent = !headers.contains_key(header::IF_NONE_MATCH)
        || earlier.is_none()
        || !names_tag(headers, &header::IF_NONE_MATCH, &tag);
    if fresh && absent {
        return Ok(());
    }
    let what = service::what::<K>();
    Err(ServiceError::Changed(format!("The {what} is not what If-Match or If-None-Match asks for; read it again.")))
}

/// What stands as it is in a segment of a path: the unreserved characters (RFC 3986 section 2.3).
const IN_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
