//! Request bodies: how large each may be, how they are read, and JSON with the place of every mistake.
//!
//! A body is read after it is known who sends it and that they may, and before its handler runs: within its route's
//! limit, within the room that all bodies share, and at some pace. What is made of JSON is reckoned with before it is
//! made, and until it was answered.

use super::ApiState;
use super::auth::Caller;
use super::paced::LeastPace;
use super::problem::{PlacedMistake, Problem, ProblemKind};
use super::values::{self, MAX_JSON, MOST_VALUES};
use crate::answer::MOST_BYTES;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Extension, FromRequest, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use postigo_model::configured::Settings;
use postigo_model::configured::codecs::LARGEST_COMPONENT;
use postigo_net::listen::{IntakeReservation, ReservedBytes};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;
use std::time::Duration;
use tokio::time::Instant;

/// The media type of bodies that are read into values.
const JSON: &str = "application/json";
/// The largest JSON body with files, which travel in base64.
const MAX_WITH_FILES: usize = MOST_BYTES / 3 * 4 + (2 << 20);
/// The largest mail; no setting lets a larger one in over REST, for it lies in memory.
const MAX_MAIL: usize = 128 << 20;

/// The routes whose bodies may have another size than [`MAX_JSON`], as [`super::role::RULES`] writes them, and how many
/// bytes.
const LIMITS: &[(Method, &str, usize)] = &[
    (Method::POST, "/messages", MAX_MAIL),
    (Method::POST, "/chain/test", MAX_MAIL),
    (Method::POST, "/filters/{name}/test", MAX_MAIL),
    (Method::POST, "/tickets", MAX_WITH_FILES),
    (Method::POST, "/tickets/{number}/articles", MAX_WITH_FILES),
    (Method::POST, "/articles/{id}/forward", MAX_WITH_FILES),
    (Method::POST, "/articles/{id}/bounce", MAX_WITH_FILES),
];

/// How slowly a body may come: who drips holds no room for ever.
const PACE: LeastPace =
    LeastPace { silence: Duration::from_secs(30), grace: Duration::from_mins(1), bytes_a_second: 16 << 10 };
/// Where there is no room, a client is told to come again after so many seconds.
const COME_AGAIN: HeaderValue = HeaderValue::from_static("5");

/// The route whose bodies are as large as a setting says.
const COMPONENTS: (Method, &str) = (Method::POST, "/components");

/// How large a body may be, and what its sender is told where it is larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit {
    bytes: usize,
    /// The setting that it is, where it is one.
    setting: Option<&'static str>,
}

/// The most bytes of a route's body.
fn limit(method: &Method, path: &str, settings: &Settings) -> Limit {
    if (method, path) == (&COMPONENTS.0, COMPONENTS.1) {
        let bytes = usize::try_from(settings.max_component_size.min(LARGEST_COMPONENT)).unwrap_or(usize::MAX);
        return Limit { bytes, setting: Some("max_component_size") };
    }
    let bytes =
        LIMITS.iter().find(|(of, route, _)| of == method && *route == path).map_or(MAX_JSON, |(_, _, bytes)| *bytes);
    Limit { bytes, setting: None }
}

/// Reads a request's body and hands the request on with it. Comes after [`super::auth::authorize`].
pub async fn take(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let route = path.strip_prefix(super::BASE).unwrap_or(&path);
    let most = limit(request.method(), route, &state.live.current().configuration.settings);
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let share = || state.room.share(&caller.token.to_string());
    let taken = collect(body, most, share(), PACE).await;
    match taken.and_then(|bytes| Ok((set_aside(&parts.headers, &bytes, share())?, bytes))) {
        Ok((_read, bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err(problem) => problem.into_response(),
    }
}

/// Room for what reading a body makes of it, if it is JSON.
fn set_aside(headers: &HeaderMap, bytes: &[u8], mut share: IntakeReservation) -> Result<IntakeReservation, NotTaken> {
    if expect_media_type(headers, &[JSON]).is_ok() {
        let read = values::reckoned(bytes).ok_or(NotTaken::TooManyValues)?;
        if !share.hold(read) {
            return Err(NotTaken::NoRoom);
        }
    }
    Ok(share)
}

/// A body's bytes, which take their share of the room for as long as there is a copy. What a client promises
/// (Content-Length) is set aside before the first byte is read, what it does not promise as it comes.
async fn collect(
    mut body: Body,
    limit: Limit,
    mut share: IntakeReservation,
    pace: LeastPace,
) -> Result<Bytes, NotTaken> {
    let begun = Instant::now();
    let most = limit.bytes;
    let promised = usize::try_from(body.size_hint().exact().unwrap_or(0)).unwrap_or(usize::MAX);
    if promised > most {
        return Err(NotTaken::TooLarge(limit));
    }
    if !share.hold(promised as u64) {
        return Err(NotTaken::NoRoom);
    }
    let mut bytes = Vec::with_capacity(promised);
    loop {
        let due = begun + pace.due(bytes.len() as u64);
        let frame = tokio::time::timeout_at(due.min(Instant::now() + pace.silence), body.frame())
            .await
            .map_err(|_| NotTaken::TooSlow)?;
        let Some(frame) = frame else { return Ok(Bytes::from_owner(ReservedBytes::new(bytes, share))) };
        let Ok(piece) = frame.map_err(|error| NotTaken::Broken(error.to_string()))?.into_data() else { continue };
        let needed = bytes.len() + piece.len();
        if needed > most {
            return Err(NotTaken::TooLarge(limit));
        }
        if needed > bytes.capacity() {
            // Half as much again, so that what is there is not copied for every piece.
            let capacity = (needed + needed / 2).min(most);
            if !share.hold(capacity as u64) {
                return Err(NotTaken::NoRoom);
            }
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(&piece);
    }
}

/// Why a body was not taken.
#[derive(Debug, PartialEq, Eq)]
enum NotTaken {
    TooLarge(Limit),
    TooManyValues,
    NoRoom,
    TooSlow,
    Broken(String),
}

impl axum::response::IntoResponse for NotTaken {
    fn into_response(self) -> Response {
        let (kind, detail) = match self {
            Self::TooLarge(Limit { bytes, setting: Some(setting) }) => (
                ProblemKind::TooLarge,
                format!("The body is larger than the setting `{setting}` allows: {bytes} bytes."),
            ),
            Self::TooLarge(Limit { bytes, setting: None }) => {
                (ProblemKind::TooLarge, format!("The body is larger than this route takes: {bytes} bytes."))
            }
            Self::TooManyValues => (
                ProblemKind::TooLarge,
                format!("The body has more than {MOST_VALUES} texts, numbers, lists and tables. Nothing was done."),
            ),
            Self::NoRoom => (
                ProblemKind::Unavailable,
                "Other bodies take all the room that there is for this token's now; try again.".to_owned(),
            ),
            Self::TooSlow => (ProblemKind::Timeout, "The body came too slowly. Nothing was done.".to_owned()),
            Self::Broken(why) => (ProblemKind::BadRequest, format!("The body did not arrive: {why}.")),
        };
        let is_for_now = kind == ProblemKind::Unavailable;
        let mut response = Problem::new(kind, detail).into_response();
        if is_for_now {
            response.headers_mut().insert(header::RETRY_AFTER, COME_AGAIN);
        }
        response
    }
}

/// A JSON body of a known shape. A key that the shape does not have is a mistake.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        expect_media_type(request.headers(), &[JSON])?;
        let bytes = read(request, state).await?;
        // Twice, since only text that is JSON at all has places: nesting too deep and a comma too many are told by line
        // and column.
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?;
        read_as(value).map(Self)
    }
}

/// A body that is JSON, in a shape.
pub fn read_as<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer(error.path());
        Problem::invalid(vec![PlacedMistake::at(pointer, sentence(&error.into_inner().to_string()))])
    })
}

fn unreadable(error: &serde_json::Error) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    Problem::new(ProblemKind::BadRequest, format!("The body is not JSON that can be read; at {place}: {error}."))
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

/// The whole body, which [`take`] has read.
pub async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let arrived = Bytes::from_request(request, state).await;
    arrived.map_err(|rejection| {
        Problem::new(
            ProblemKind::BadRequest,
            format!("The body did not arrive: {}.", rejection.body_text().trim_end_matches('.')),
        )
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
    Err(Problem::new(ProblemKind::UnsupportedMediaType, format!("The Content-Type must be {wanted}; it is {got}.")))
}

#[cfg(test)]
mod tests {
    use super::super::role;
    use super::*;
    use futures_util::stream;
    use postigo_net::listen::IntakeBudget;
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn pieces(count: usize, each: usize) -> Body {
        Body::from_stream(stream::iter((0..count).map(move |_| Ok::<_, Infallible>(Bytes::from(vec![b'x'; each])))))
    }

    fn of(bytes: usize) -> Limit {
        Limit { bytes, setting: None }
    }

    #[test]
    fn each_limit_is_one_of_a_route() {
        assert_eq!(LARGEST_COMPONENT, MAX_MAIL as u64, "a component lies in memory as a mail does");
        for (method, path, bytes) in LIMITS {
            assert!(role::find(method, path).is_some(), "{method} {path} is no route");
            assert!(*bytes > MAX_JSON && limit(method, path, &Settings::default()) == of(*bytes));
        }
        assert_eq!(limit(&Method::PUT, "/settings", &Settings::default()), of(MAX_JSON));
        let settings = Settings { max_component_size: 64 << 20, ..Settings::default() };
        assert!(role::find(&COMPONENTS.0, COMPONENTS.1).is_some());
        assert_eq!(
            limit(&COMPONENTS.0, COMPONENTS.1, &settings),
            Limit { bytes: 64 << 20, setting: Some("max_component_size") }
        );
    }

    #[tokio::test]
    async fn bodies_share_room_promised_or_not_and_give_it_back() {
        let room = Arc::new(IntakeBudget::of(8 << 20));
        let one = || room.share("1");
        let first = collect(Body::from(vec![b'x'; 3 << 20]), of(4 << 20), one(), PACE).await.unwrap();
        assert_eq!(collect(Body::from(vec![b'x'; 2 << 20]), of(4 << 20), one(), PACE).await, Err(NotTaken::NoRoom));
        assert_eq!(
            collect(pieces(32, 64 << 10), of(4 << 20), one(), PACE).await,
            Err(NotTaken::NoRoom),
            "in chunks it is the same"
        );
        assert_eq!(collect(Body::from("small"), of(4 << 20), one(), PACE).await.unwrap(), "small");
        let other = collect(pieces(16, 64 << 10), of(4 << 20), room.share("2"), PACE).await.unwrap();
        assert_eq!(other.len(), 1 << 20, "another token has a part of its own");
        drop(first);
        assert!(collect(Body::from(vec![b'x'; 2 << 20]), of(4 << 20), one(), PACE).await.is_ok());
    }

    #[test]
    fn what_is_read_from_json_shares_the_room_too() {
        let room = Arc::new(IntakeBudget::of(16 << 20));
        let headers = |media_type: &'static str| {
            HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))])
        };
        let tables = format!("[{}0]", "{\"\":0},".repeat(5_000));
        let read = || set_aside(&headers("application/json; charset=utf-8"), tables.as_bytes(), room.share("1"));
        let first = read().unwrap();
        assert_eq!(read().err(), Some(NotTaken::NoRoom), "35 KB of text, 5 MB of values");
        assert!(
            set_aside(&headers("message/rfc822"), tables.as_bytes(), room.share("1")).is_ok(),
            "nothing is made of a mail here"
        );
        drop(first);
        assert!(read().is_ok());
    }

    #[tokio::test]
    async fn the_largest_body_with_files_has_room() {
        let room = Arc::new(IntakeBudget::default());
        let mut body = br#"{"attachments":[{"content":""#.to_vec();
        body.resize(MAX_WITH_FILES - 4, b'x');
        body.extend(br#""}]}"#.get(..4).unwrap());
        let bytes = collect(Body::from(body), of(MAX_WITH_FILES), room.share("1"), PACE).await.unwrap();
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(JSON))]);
        assert!(set_aside(&headers, &bytes, room.share("1")).is_ok());
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_is_not_read() {
        let room = Arc::new(IntakeBudget::default());
        assert_eq!(
            collect(Body::from(vec![b'x'; 101]), of(100), room.share("1"), PACE).await,
            Err(NotTaken::TooLarge(of(100)))
        );
        let read = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&read);
        let pieces = stream::repeat_with(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(Bytes::from(vec![b'x'; 60]))
        });
        let body = Body::from_stream(pieces);
        assert_eq!(collect(body, of(100), room.share("1"), PACE).await, Err(NotTaken::TooLarge(of(100))));
        assert_eq!(read.load(Ordering::Relaxed), 2, "nothing is read after that");
    }

    #[tokio::test]
    async fn a_body_that_drips_or_stops_is_given_up() {
        let room = Arc::new(IntakeBudget::default());
        let dripping = |every: Duration| {
            Body::from_stream(stream::unfold((), move |()| async move {
                tokio::time::sleep(every).await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b"x")), ()))
            }))
        };
        let short = Duration::from_millis(200);
        let pace = LeastPace { silence: short, grace: short * 2, bytes_a_second: 1 << 20 };
        for every in [short / 20, short * 1_000] {
            assert_eq!(
                collect(dripping(every), of(MAX_MAIL), room.share("1"), pace).await,
                Err(NotTaken::TooSlow),
                "{every:?}"
            );
        }
    }
}
