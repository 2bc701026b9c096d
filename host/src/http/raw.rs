//! Raw mails, in and out.

use super::body;
use super::problem::{Problem, ProblemKind};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;
use axum::response::{IntoResponse, Response};

/// The media type of a mail (RFC 2046 section 5.2.1).
pub const MEDIA_TYPE: &str = "message/rfc822";

/// A mail as an answer: a download under this name, which a browser neither shows nor guesses at.
pub fn raw_mail(name: &str, bytes: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, MEDIA_TYPE.to_owned()), (header::CONTENT_DISPOSITION, disposition)], bytes).into_response()
}

/// A mail as a request's body.
#[derive(Debug)]
pub struct RawMail(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RawMail {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        body::expect_media_type(request.headers(), &[MEDIA_TYPE])?;
        let bytes = body::read(request, state).await?;
        if bytes.is_empty() {
            return Err(Problem::new(ProblemKind::BadRequest, "The body is empty; it must be a mail."));
        }
        Ok(Self(bytes))
    }
}
