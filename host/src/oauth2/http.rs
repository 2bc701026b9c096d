//! Requests to a provider: over checked TLS, without following redirects, with an end in time and size.

use super::provider::is_loopback;
use oauth2::http::{Response, StatusCode};
use oauth2::url::Url;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use postigo_model::configured::Tls;
use postigo_net::tls;
use postigo_supervision::{WorkKind, blocking};
use std::error::Error;
use std::pin::Pin;
use std::time::Duration;

/// A request must be answered in this time.
pub const WITHIN: Duration = Duration::from_secs(30);
/// A connection must be there in this time.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const LONGEST_ANSWER: usize = 256 << 10;

/// Why a provider gave no answer of the protocol.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection, no TLS, or no answer in time.
    #[error("{0}")]
    Unreachable(String),
    /// An answer of another program: a proxy, a provider that is down.
    #[error("it answered with HTTP status {0}")]
    Status(u16),
    /// An endless answer.
    #[error("its answer is larger than {LONGEST_ANSWER} bytes")]
    TooLarge,
}

/// A client for the requests of one grant.
pub struct Http(reqwest::Client);

impl Http {
    /// A client that trusts the system's authorities and those in the file `ca`, if one is named; `url` is where it
    /// goes.
    pub async fn new(ca: &str, url: &str) -> Result<Self, HttpError> {
        let failed = |error: &dyn std::fmt::Display| HttpError::Unreachable(error.to_string());
        // A client certificate, or no check at all, is for the mail server alone.
        let settings = Tls { ca: ca.to_owned(), ..Tls::default() };
        // Reads files.
        let config = blocking(WorkKind::Files, "", move || tls::client_config(&settings))
            .await
            .map_err(|error| failed(&error))?;
        let mut builder = reqwest::Client::builder()
            .use_preconfigured_tls(config.map_err(|error| failed(&error))?)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECTED_WITHIN)
            .timeout(WITHIN)
            .user_agent(concat!("postigo/", env!("CARGO_PKG_VERSION")));
        if Url::parse(url).is_ok_and(|url| is_loopback(&url)) {
            builder = builder.no_proxy();
        }
        builder.build().map(Self).map_err(|error| failed(&innermost(&error)))
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let failed = |error: reqwest::Error| HttpError::Unreachable(innermost(&error.without_url()));
        let mut answer = self.0.execute(request.try_into().map_err(failed)?).await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            if body.len() + piece.len() > LONGEST_ANSWER {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        let status = answer.status();
        if status != StatusCode::OK && !is_refusal(&body) {
            return Err(HttpError::Status(status.as_u16()));
        }
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.answer(request))
    }
}

/// Whether a body is an error of the protocol (RFC 6749 section 5.2).
fn is_refusal(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|body| body["error"].is_string())
}

/// The last cause tells most: `connection refused`, `invalid peer certificate`.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
