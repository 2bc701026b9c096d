//! Request bodies: JSON with the place of every mistake, and raw bytes of one media type.

use super::problem::{Kind, Mistake, Problem};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

/// The largest JSON body, in bytes.
pub const MAX_JSON: usize = 1 << 20;

/// A JSON body of a known shape. A key that the shape does not have is a mistake.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        expect_media_type(request.headers(), &["application/json"])?;
        let bytes = read(request, state).await?;
        // Twice, since only text that is JSON at all has places: nesting too deep and a comma too many are told by line and column.
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?;
        read_as(value).map(Self)
    }
}

/// A body that is JSON, in a shape.
pub fn read_as<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer(error.path());
        Problem::invalid(vec![Mistake::at(pointer, sentence(&error.into_inner().to_string()))])
    })
}

fn unreadable(error: &serde_json::Error) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    Problem::new(Kind::BadRequest, format!("The body is not JSON that can be read; at {place}: {error}."))
}

/// Serde writes clauses; a detail is a sentence.
fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter().fold(String::new(), |mut pointer, segment| {
        let token = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => escape(key),
            Segment::Enum { variant } => escape(variant),
            Segment::Unknown => return pointer,
        };
        pointer.push('/');
        pointer.push_str(&token);
        pointer
    })
}

/// Escapes a key for a JSON Pointer (RFC 6901 section 3).
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Reads the whole body, within the route's limit.
pub async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        let kind = if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE { Kind::TooLarge } else { Kind::BadRequest };
        let detail = match kind {
            Kind::TooLarge => "The body is larger than this route takes.".to_owned(),
            _ => format!("The body did not arrive: {}.", rejection.body_text().trim_end_matches('.')),
        };
        Problem::new(kind, detail)
    })
}

/// Refuses a body of another media type than these; parameters such as `charset` do not count.
pub fn expect_media_type(headers: &HeaderMap, wanted: &[&str]) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default().trim();
    if wanted.iter().any(|wanted| given.eq_ignore_ascii_case(wanted)) {
        return Ok(());
    }
    let got = if given.is_empty() { "none".to_owned() } else { format!("\"{given}\"") };
    let wanted = wanted.join(" or ");
    Err(Problem::new(Kind::UnsupportedMediaType, format!("The Content-Type must be {wanted}; it is {got}.")))
}
