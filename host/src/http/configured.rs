//! What all configured things (queues, system addresses, accounts, dynamic fields, filters, …) have in common as REST resources.
//!
//! Their JSON is the form of the configuration file, read and written by the same code ([`postigo_model::configured::form`]), held to the same rules
//! and saved the same way: all of a request or nothing, with every mistake named by its place. Secrets are taken and never given.
//!
//! Each representation has an ETag; `If-Match` makes a change conditional on it, so that two people who edit the same thing do not
//! undo each other's work without noticing.

use super::ApiState;
use super::auth::Caller;
use super::page::{Page, PageQuery};
use super::problem::{Kind as ProblemKind, Mistake, Problem, no_content};
use super::role::Role;
use super::sign_in;
use crate::config::{differences, keep_secrets, review, widened};
use crate::store::{StoreError, configuration};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use postigo_model::configured::Breach;
use postigo_model::configured::form;
use postigo_model::configured::form::Kind;
use postigo_model::configured::{Account, Configuration, Transport};
use postigo_model::hexadecimal::hexadecimal;
use postigo_model::mailbox::Mailbox;
use postigo_supervision::{Work, caught};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::time::Duration;
use utoipa::IntoParams;

/// So long a save waits until this host's chain runs what was saved; then it answers 202.
const PATIENCE: Duration = Duration::from_secs(5);
/// So often a change is tried again when somebody else's came first.
const TRIES: u32 = 5;

/// The query parameters of a list of configured things.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only things with this text somewhere in them, case ignored.
    pub search: Option<String>,
    /// Rows of the page, 1 to 500; 50 if left out.
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A JSON object.
pub type Object = Map<String, Value>;

/// A change that was saved.
pub struct Saved<T> {
    /// What the change gave.
    pub value: T,
    /// The configuration that was saved: what components mean is settled in it.
    pub configuration: Configuration,
    /// Whether this host works by it already.
    pub live: bool,
}

impl<T> Saved<T> {
    /// A thing as it was saved.
    pub fn object<K: Kind>(&self, name: &str) -> Object {
        find_in::<K>(&self.configuration, name).map(form::write).unwrap_or_default()
    }
}

/// A page of the things of a kind, in byte order of their names.
pub async fn list<K: Kind>(state: &ApiState, query: ListQuery) -> Result<Page<Value>, Problem> {
    let configuration = configuration::load(&state.store, &state.key).await?;
    let search = query.search.map(|text| text.to_lowercase());
    let things = K::all(&configuration).iter().map(|(name, thing)| (name.clone(), Value::Object(form::write(thing))));
    let found = things.filter(|(_, object)| search.as_ref().is_none_or(|text| mentions(object, text)));
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let mut page = Page::cut(found, &page, |(name, _)| name.clone())?;
    for (name, object) in &mut page.items {
        if let Value::Object(object) = object {
            sign_in::attach::<K>(state, &configuration, name, object).await?;
        }
    }
    Ok(page.map(|(_, object)| object))
}

/// Whether a value has a text in it, at any depth; the text is in lower case.
fn mentions(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string.to_lowercase().contains(text),
        Value::Array(items) => items.iter().any(|item| mentions(item, text)),
        Value::Object(fields) => fields.values().any(|value| mentions(value, text)),
        _ => false,
    }
}

/// One thing of a kind, as an answer.
pub async fn show<K: Kind>(state: &ApiState, headers: &HeaderMap, name: &str) -> Result<Response, Problem> {
    let configuration = configuration::load(&state.store, &state.key).await?;
    let mut object = form::write(find_in::<K>(&configuration, name)?);
    // Tells what is configured; how a sign-in stands is shown beside it.
    let tag = etag(&object);
    if names_tag(headers, &header::IF_NONE_MATCH, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    sign_in::attach::<K>(state, &configuration, name, &mut object).await?;
    Ok((StatusCode::OK, [(header::ETAG, tag)], axum::Json(object)).into_response())
}

/// Adds a thing; there must be none of its name. `path` is where its kind is found.
pub async fn create<K: Kind>(state: &ApiState, caller: &Caller, path: &str, body: Value) -> Result<Response, Problem> {
    let saved = save(state, caller, |configuration| {
        let thing: K = read(K::default(), &body)?;
        if K::all(configuration).contains_key(&thing.name()) {
            let sentence = format!("There is a {} \"{}\" already; change it with PUT or PATCH.", what::<K>(), thing.name());
            return Err(Problem::new(ProblemKind::Conflict, sentence));
        }
        Ok(put(configuration, thing))
    })
    .await?;
    let name = saved.value.clone();
    let object = saved.object::<K>(&name);
    let mut response = answer(if saved.live { StatusCode::CREATED } else { StatusCode::ACCEPTED }, object);
    if let Ok(location) = HeaderValue::from_str(&format!("{}{path}/{}", super::BASE, percent_encode(&name))) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Puts a whole thing in the place of this name: what the body leaves out has its default, secrets that it leaves out stay.
pub async fn replace<K: Kind>(
    state: &ApiState,
    caller: &Caller,
    headers: &HeaderMap,
    name: &str,
    body: Value,
) -> Result<Response, Problem> {
    let body = named::<K>(name, body)?;
    let saved = save(state, caller, |configuration| {
        let earlier = find_in::<K>(configuration, name).ok().cloned();
        check_match(headers, earlier.as_ref())?;
        let mut thing: K = read(K::default(), &body)?;
        keep_secrets(&mut thing, earlier.as_ref());
        put(configuration, thing);
        Ok(earlier.is_none())
    })
    .await?;
    Ok(answer(status(saved.live, saved.value), saved.object::<K>(name)))
}

/// Changes the keys of a thing that the body names; tables inside it likewise, but for a filter's `settings`, which are replaced.
pub async fn change<K: Kind>(state: &ApiState, caller: &Caller, headers: &HeaderMap, name: &str, body: Value) -> Result<Response, Problem> {
    let body = named::<K>(name, body)?;
    let saved = save(state, caller, |configuration| {
        let earlier: K = find_in::<K>(configuration, name)?.clone();
        check_match(headers, Some(&earlier))?;
        let thing = read(earlier, &body)?;
        put(configuration, thing);
        Ok(())
    })
    .await?;
    Ok(answer(status(saved.live, false), saved.object::<K>(name)))
}

/// Removes a thing.
pub async fn delete<K: Kind>(state: &ApiState, caller: &Caller, headers: &HeaderMap, name: &str) -> Result<Response, Problem> {
    save(state, caller, |configuration| {
        let earlier: &K = find_in(configuration, name)?;
        check_match(headers, Some(earlier))?;
        let name = earlier.name();
        K::all_mut(configuration).remove(&name);
        Ok(())
    })
    .await?;
    Ok(no_content())
}

/// Makes a change of the configuration, checks the whole of it as `config apply` does, saves it, and waits until this host works by it.
/// What is prepared for it takes the caller's places in the sandbox.
/// The caller gives a filter no grants that its role may not give.
pub async fn save<T>(
    state: &ApiState,
    caller: &Caller,
    edit: impl Fn(&mut Configuration) -> Result<T, Problem>,
) -> Result<Saved<T>, Problem> {
    let sandbox = state.live.sandbox().asked_by(caller.asker());
    for _ in 0..TRIES {
        let before = configuration::load(&state.store, &state.key).await?;
        let mut after = before.clone();
        let value = edit(&mut after)?;
        let mut breaches = review(&before, &mut after, &state.store, &sandbox).await?;
        breaches.extend(state.machine.check(&before, &after));
        if !breaches.is_empty() {
            return Err(Problem::invalid(mistakes(&before, &after, breaches)));
        }
        if caller.role != Role::Admin {
            let widened = widened(&before, &after, &state.store, state.live.sandbox()).await?;
            if !widened.is_empty() {
                return Err(forbidden(widened));
            }
        }
        match configuration::save(&state.store, &state.key, &before, &after, Vec::new(), &caller.actor()).await {
            // Somebody else's change came first; this one is made on top of it.
            Err(StoreError::Conflict(_)) => {}
            saved => {
                let version = saved?;
                after.version = version;
                return Ok(Saved { value, configuration: after, live: is_live(state, version).await });
            }
        }
    }
    Err(Problem::new(ProblemKind::Conflict, "The configuration is being changed by others all the time; nothing was saved. Try again."))
}

/// Has this host take up the version, and waits for it as long as a client may wait.
pub async fn is_live(state: &ApiState, version: i64) -> bool {
    let live = state.live.clone();
    tokio::spawn(async move {
        // A panic is told; the daemon's own look takes the change up.
        if let Ok(Err(error)) = caught(Work::Preparation, "", live.refresh()).await {
            tracing::error!(%error, "a changed configuration could not be taken up");
        }
    });
    state.live.wait_for(version, PATIENCE).await
}

fn status(live: bool, created: bool) -> StatusCode {
    match (live, created) {
        (false, _) => StatusCode::ACCEPTED,
        (true, true) => StatusCode::CREATED,
        (true, false) => StatusCode::OK,
    }
}

fn what<K: Kind>() -> String {
    K::KIND.replace('_', " ")
}

/// Finds a thing by name; a system address in any of its spellings.
fn find_in<'c, K: Kind>(configuration: &'c Configuration, name: &str) -> Result<&'c K, Problem> {
    let things = K::all(configuration);
    let found = if K::NAME == "address" { things.get(Mailbox::of(name).as_str()) } else { things.get(name) };
    found.ok_or_else(|| Problem::not_found(&what::<K>(), name))
}

/// The body with the name that the path gave; it may repeat the name, and may not give another.
fn named<K: Kind>(name: &str, body: Value) -> Result<Value, Problem> {
    let Value::Object(mut fields) = body else { return Ok(body) };
    let given = fields.entry(K::NAME).or_insert_with(|| Value::String(name.to_owned()));
    let same =
        given.as_str().is_some_and(|given| if K::NAME == "address" { Mailbox::of(given) == Mailbox::of(name) } else { given == name });
    if !same {
        let sentence = format!("The name in the path is \"{name}\"; a {} cannot be renamed.", what::<K>());
        return Err(Problem::invalid(vec![Mistake::at(format!("/{}", K::NAME), sentence)]));
    }
    Ok(Value::Object(fields))
}

fn read<K: Kind>(start: K, body: &Value) -> Result<K, Problem> {
    let mut body = body.clone();
    if let Some(fields) = body.as_object_mut().filter(|_| matches!(K::KIND, Account::KIND | Transport::KIND)) {
        fields.remove(sign_in::FIELD);
    }
    let (thing, problems) = form::read(start, &body, "", &form::in_clear);
    if problems.is_empty() { Ok(thing) } else { Err(Problem::invalid(problems.into_iter().map(mistake).collect())) }
}

/// A mistake that the form found.
pub fn mistake(problem: form::Problem) -> Mistake {
    Mistake::at(problem.pointer, sentence(&problem.sentence))
}

/// The configuration's sentences follow a key; here they stand alone.
fn sentence(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("must ") {
        return format!("It must {rest}");
    }
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn put<K: Kind>(configuration: &mut Configuration, thing: K) -> String {
    let name = thing.name();
    K::all_mut(configuration).insert(name.clone(), thing);
    name
}

/// What the caller's role may not give.
fn forbidden(breaches: Vec<Breach>) -> Problem {
    let errors: Vec<Mistake> = breaches.into_iter().map(|breach| Mistake::at(breach.place, sentence(&breach.sentence))).collect();
    let detail = errors.first().map(|mistake| mistake.detail.clone()).unwrap_or_default();
    Problem { errors, ..Problem::new(ProblemKind::Forbidden, detail) }
}

/// A breach of a thing that the request changes has its place in the body; of any other thing, its name in the sentence.
fn mistakes(before: &Configuration, after: &Configuration, breaches: Vec<Breach>) -> Vec<Mistake> {
    let changed = differences(before, after);
    let is_changed = |breach: &Breach| changed.iter().any(|changed| changed.kind == breach.kind && changed.name == breach.name);
    breaches
        .into_iter()
        .map(
            |breach| {
                if is_changed(&breach) {
                    Mistake::at(breach.place, sentence(&breach.sentence))
                } else {
                    Mistake::at("", breach.to_string())
                }
            },
        )
        .collect()
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
    values.flat_map(|value| value.split(',')).map(str::trim).any(|named| named == "*" || named.trim_start_matches("W/") == tag)
}

/// Holds a change to its `If-Match` and `If-None-Match: *`.
fn check_match<K: Kind>(headers: &HeaderMap, earlier: Option<&K>) -> Result<(), Problem> {
    let tag = earlier.map(|thing| etag(&form::write(thing))).unwrap_or_default();
    let fresh = !headers.contains_key(header::IF_MATCH) || (earlier.is_some() && names_tag(headers, &header::IF_MATCH, &tag));
    let absent = !headers.contains_key(header::IF_NONE_MATCH) || earlier.is_none() || !names_tag(headers, &header::IF_NONE_MATCH, &tag);
    if fresh && absent {
        return Ok(());
    }
    Err(Problem::new(
        ProblemKind::PreconditionFailed,
        format!("The {} is not what If-Match or If-None-Match asks for; read it again.", what::<K>()),
    ))
}

/// Encodes a name as one segment of a path (RFC 3986 section 2.1).
fn percent_encode(name: &str) -> String {
    name.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => {
                // Writing to a string does not fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        encoded
    })
}
