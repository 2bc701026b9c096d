//! What the REST API answers when it cannot do what was asked: RFC 9457, `application/problem+json`, for every error
//! there is.
//!
//! A problem has two readers. The client gets `title` (the same for all problems of a kind), `detail` (what is wrong
//! this time) and `errors` (each mistake with its place, a JSON Pointer into the body or the name of a query
//! parameter). The operator gets what the client must not see, such as a database's own words, in the log.

use crate::secret_key::SecretError;
use crate::store::StoreError;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use postigo_supervision::{WorkKind, caught};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of every error answer (RFC 9457 section 3).
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What kind of problem; its name is the last part of the problem's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// The request cannot be read: JSON syntax, a query parameter, a header.
    BadRequest,
    /// No token, or one that is not known.
    Unauthenticated,
    /// The token's role may not do this.
    Forbidden,
    /// There is no such thing, or no such route.
    NotFound,
    /// The route does not know this method.
    MethodNotAllowed,
    /// The request took too long to arrive or to be answered.
    Timeout,
    /// It contradicts what is there: a name that exists, a state that has moved on.
    Conflict,
    /// The thing has changed since it was read (`If-Match`).
    PreconditionFailed,
    /// The body is larger than this route takes.
    TooLarge,
    /// The body's media type is not the route's.
    UnsupportedMediaType,
    /// It names a host that is not this listener's.
    Misdirected,
    /// The request is readable and wrong; `errors` names each mistake.
    Invalid,
    /// Something in Postigo failed; its log says what.
    Internal,
    /// The database, or another server, does not answer now.
    Unavailable,
}

impl ProblemKind {
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad-request", "The request cannot be read"),
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated", "A valid token is needed"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "The token's role may not do this"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method is not allowed here")
            }
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "timeout", "The request took too long"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "The request contradicts what is there"),
            Self::PreconditionFailed => {
                (StatusCode::PRECONDITION_FAILED, "precondition-failed", "It has changed since it was read")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "The media type is not supported")
            }
            Self::Misdirected => {
                (StatusCode::MISDIRECTED_REQUEST, "misdirected", "The request is not for this listener")
            }
            Self::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request has mistakes"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Postigo failed"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not available now"),
        }
    }

    /// The kind that stands for a status which another layer chose.
    fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::Timeout,
            409 => Self::Conflict,
            412 => Self::PreconditionFailed,
            413 => Self::TooLarge,
            415 => Self::UnsupportedMediaType,
            421 => Self::Misdirected,
            422 => Self::Invalid,
            503 => Self::Unavailable,
            500.. => Self::Internal,
            _ => Self::BadRequest,
        }
    }
}

/// One mistake and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProblemError)]
pub struct PlacedMistake {
    /// A JSON Pointer (RFC 6901) into the body; empty: the whole of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The query parameter or header that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What is wrong, a sentence.
    pub detail: String,
}

impl PlacedMistake {
    /// A mistake in the body.
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), parameter: None, detail: detail.into() }
    }

    /// A mistake in a query parameter or header.
    pub fn in_parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: None, parameter: Some(name.into()), detail: detail.into() }
    }
}

/// An error answer (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What kind of problem, a URI: `urn:postigo:problem:invalid`.
    pub r#type: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time, a sentence.
    pub detail: String,
    /// Every mistake with its place, where there are several or places to name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<PlacedMistake>,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        let (status, slug, title) = kind.parts();
        Self {
            r#type: format!("urn:postigo:problem:{slug}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// There is no `what` of this name.
    pub fn not_found(what: &str, name: &str) -> Self {
        Self::new(ProblemKind::NotFound, format!("There is no {what} \"{name}\"."))
    }

    /// The body is readable and has these mistakes.
    pub fn invalid(mistakes: Vec<PlacedMistake>) -> Self {
        let detail = match mistakes.as_slice() {
            [one] => one.detail.clone(),
            several => format!("{} mistakes; nothing was changed.", several.len()),
        };
        Self { errors: mistakes, ..Self::new(ProblemKind::Invalid, detail) }
    }

    /// A query parameter is wrong.
    pub fn bad_parameter(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self {
            errors: vec![PlacedMistake::in_parameter(name, detail.clone())],
            ..Self::new(ProblemKind::BadRequest, detail)
        }
    }

    /// Something failed that the client can do nothing about: the operator reads why in the log.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(ProblemKind::Internal, "The request could not be carried out. Postigo's log says why.")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(sentence) => Self::new(ProblemKind::Conflict, sentence),
            StoreError::NotFound(sentence) => Self::new(ProblemKind::NotFound, sentence),
            error @ (StoreError::Object { .. } | StoreError::ObjectsAway { .. }) => {
                tracing::error!(%error, "the folder of large messages did not do what a request asked");
                Self::new(
                    ProblemKind::Unavailable,
                    "The folder of large messages could not be used now. Nothing was changed; try again.",
                )
            }
            error if error.is_temporary() => {
                tracing::error!(%error, "the database did not do what a request asked");
                Self::new(
                    ProblemKind::Unavailable,
                    "The database could not do this now. Nothing was changed; try again.",
                )
            }
            error @ (StoreError::Corrupt { .. }
            | StoreError::ObjectMissing { .. }
            | StoreError::ObjectDamaged { .. }) => {
                tracing::error!(%error, "a request failed");
                // Which row it is helps whoever asked, and whoever they tell: without that they would look for it
                // everywhere.
                Self::new(ProblemKind::Internal, error.to_string())
            }
            StoreError::Secret(SecretError::Sealed { ref place, .. }) => {
                tracing::error!(%error, "a request failed");
                Self::new(
                    ProblemKind::Internal,
                    format!("The secret of {place} cannot be opened. Postigo's log says what to do."),
                )
            }
            error => Self::internal(&error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"postigo\""));
        }
        response
    }
}

/// The most of another layer's words that becomes a problem's `detail`.
const LONGEST_DETAIL: usize = 2048;

/// Turns error answers of other layers (routing, extractors, limits, time-outs), which have plain text or nothing, into
/// problems.
pub async fn problems_only(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let place = format!("{} {}", request.method(), request.uri().path());
    let response = next.run(request).await;
    let status = response.status();
    // A document is a handler's own: what `/readyz` says of a host that is not ready.
    let is_document = |kind: &HeaderValue| kind == MEDIA_TYPE || kind == "application/json";
    let is_said = response.headers().get(header::CONTENT_TYPE).is_some_and(is_document);
    if is_said || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let kept: Vec<(HeaderName, HeaderValue)> = [header::ALLOW, header::RETRY_AFTER]
        .into_iter()
        .filter_map(|name| Some((name.clone(), response.headers().get(&name)?.clone())))
        .collect();
    let words = axum::body::to_bytes(response.into_body(), LONGEST_DETAIL).await.unwrap_or_default();
    let detail = match String::from_utf8_lossy(&words).trim() {
        "" => default_detail(status, &place),
        words => words.to_owned(),
    };
    let mut answer = Problem::new(ProblemKind::of(status), detail).into_response();
    answer.headers_mut().extend(kept);
    answer
}

/// Answers a request whose handler panics; its connection and all others go on.
pub async fn no_panics(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let method = request.method().to_string();
    if let Ok(response) = caught(WorkKind::Request, &method, next.run(request)).await {
        return response;
    }
    let detail = "The request broke the code that answers it. What it asked for may or may not have been done. Postigo's log says where.";
    Problem::new(ProblemKind::Internal, detail).into_response()
}

fn default_detail(status: StatusCode, place: &str) -> String {
    match status {
        StatusCode::NOT_FOUND => format!("There is nothing at {place}. GET /api/v1/openapi.json lists every route."),
        StatusCode::METHOD_NOT_ALLOWED => {
            format!("{place} is not offered; the Allow header names the methods that are.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => "The body is larger than this route takes.".to_owned(),
        StatusCode::REQUEST_TIMEOUT => {
            "The request was not answered in time. What it asked for may or may not have been done.".to_owned()
        }
        _ => "The request could not be carried out.".to_owned(),
    }
}

/// An answer without a body.
pub fn no_content() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
