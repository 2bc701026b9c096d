//! What is asked of a provider, by the crate `oauth2`, and what its answers come to.

use super::http::{Http, HttpError};
use super::subject::Subject;
use oauth2::basic::{BasicClient, BasicErrorResponse, BasicTokenResponse, BasicTokenType};
use oauth2::url::Url;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, DeviceAuthorizationUrl,
    DeviceCodeErrorResponse, EndpointNotSet, EndpointSet, ErrorResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardDeviceAuthorizationResponse, TokenResponse, TokenUrl,
};
use postigo_model::configured::Secret;
use postigo_net::redaction::Redactor;
use std::borrow::Cow;
use std::time::Duration;

/// An access token whose end the provider does not tell is taken to last so long.
const UNTOLD: Duration = Duration::from_mins(30);
/// Nobody's tokens last longer: a number that is meant as something else must not keep one forever.
const LONGEST: Duration = Duration::from_hours(24 * 30);
/// A provider is asked for a device's tokens no more often.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// A device code ends by then.
pub const LONGEST_DEVICE_CODE: Duration = Duration::from_mins(30);
/// Letters of a provider's words that are kept.
const LONGEST_TEXT: usize = 300;

/// What a provider gave.
#[derive(Debug, Clone)]
pub struct ProviderGrant {
    pub access_token: Secret,
    pub refresh_token: Option<Secret>,
    pub lasts: Duration,
}

/// What a provider said instead of giving tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderError {
    /// Its code (RFC 6749 section 5.2), or `unreachable`, `http-503`, `bad-answer`.
    pub code: String,
    /// Its words, one short line without our secrets.
    pub text: String,
    /// Whether the provider did not decide: it, or the way to it, is down.
    pub is_temporary: bool,
}

impl ProviderError {
    /// Whether only a person can help, by signing in again.
    pub fn needs_person(&self) -> bool {
        matches!(self.code.as_str(), "invalid_grant" | "interaction_required" | "login_required" | "consent_required")
    }

    fn bad_answer(text: &str) -> Self {
        Self { code: "bad-answer".to_owned(), text: text.to_owned(), is_temporary: false }
    }

    fn http(error: &HttpError, redactor: &Redactor) -> Self {
        let code = match error {
            HttpError::Unreachable(_) => "unreachable".to_owned(),
            HttpError::Status(status) => format!("http-{status}"),
            HttpError::TooLarge => return Self::bad_answer(&error.to_string()),
        };
        Self { code, text: cleaned(&error.to_string(), redactor), is_temporary: true }
    }
}

type OAuth2Client = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

fn client(subject: &Subject) -> Result<OAuth2Client, ProviderError> {
    let token_url = TokenUrl::new(subject.provider.token_url.clone()).map_err(|_| unusable("token_url"))?;
    let mut client = BasicClient::new(ClientId::new(subject.client_id.clone())).set_token_uri(token_url);
    if let Some(secret) = &subject.client_secret {
        client = client.set_client_secret(ClientSecret::new(secret.reveal().to_owned()));
    }
    Ok(client.set_auth_type(if subject.provider.secret_in_body { AuthType::RequestBody } else { AuthType::BasicAuth }))
}

fn unusable(key: &str) -> ProviderError {
    ProviderError::bad_answer(&format!("the key oauth2.{key} is no address"))
}

async fn http(subject: &Subject) -> Result<Http, ProviderError> {
    Http::new(&subject.ca, &subject.provider.token_url)
        .await
        .map_err(|error| ProviderError::http(&error, &secrets(subject, None)))
}

fn scopes(subject: &Subject) -> Vec<Scope> {
    subject.provider.scopes.iter().cloned().map(Scope::new).collect()
}

/// A new access token by a refresh token (RFC 6749 section 6); `still` is the one that the provider gave before, where
/// it has not ended.
pub async fn refresh(
    subject: &Subject,
    refresh_token: &Secret,
    still: Option<&Secret>,
) -> Result<ProviderGrant, ProviderError> {
    let (client, http) = (client(subject)?, http(subject).await?);
    let token = RefreshToken::new(refresh_token.reveal().to_owned());
    let answer = client.exchange_refresh_token(&token).request_async(&http).await;
    let told = [("refresh token", refresh_token)].into_iter().chain(still.map(|token| ("access token", token)));
    granted(answer, &secrets(subject, told.map(|(name, token)| (name, token.reveal()))))
}

/// An access token for the program itself (RFC 6749 section 4.4).
pub async fn client_credentials(subject: &Subject) -> Result<ProviderGrant, ProviderError> {
    let (client, http) = (client(subject)?, http(subject).await?);
    let answer = client.exchange_client_credentials().add_scopes(scopes(subject)).request_async(&http).await;
    granted(answer, &secrets(subject, None))
}

/// Where a person signs in by a browser, and what the answer must fit.
pub struct Authorization {
    pub url: String,
    pub state: String,
    pub verifier: Secret,
}

/// Begins a sign-in by authorization code, with PKCE (RFC 7636, S256).
pub fn authorization(subject: &Subject) -> Result<Authorization, ProviderError> {
    let authorize_url = AuthUrl::new(subject.provider.authorize_url.clone()).map_err(|_| unusable("authorize_url"))?;
    let redirect_url = RedirectUrl::new(subject.provider.redirect_url.clone()).map_err(|_| unusable("redirect_url"))?;
    let client = client(subject)?.set_auth_uri(authorize_url);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let mut request = client
        .authorize_url(|| CsrfToken::new_random_len(32))
        .add_scopes(scopes(subject))
        .set_pkce_challenge(challenge);
    for (name, value) in subject.provider.parameters {
        request = request.add_extra_param(*name, *value);
    }
    if !subject.user.is_empty() {
        request = request.add_extra_param("login_hint", &subject.user);
    }
    let (url, state) = request.set_redirect_uri(Cow::Borrowed(&redirect_url)).url();
    Ok(Authorization { url: url.into(), state: state.into_secret(), verifier: Secret::new(verifier.into_secret()) })
}

/// Tokens by an authorization code.
pub async fn exchange_code(subject: &Subject, code: &str, verifier: &Secret) -> Result<ProviderGrant, ProviderError> {
    let redirect_url = RedirectUrl::new(subject.provider.redirect_url.clone()).map_err(|_| unusable("redirect_url"))?;
    let (client, http) = (client(subject)?, http(subject).await?);
    let answer = client
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(verifier.reveal().to_owned()))
        .set_redirect_uri(Cow::Owned(redirect_url))
        .request_async(&http)
        .await;
    granted(answer, &secrets(subject, [("code", code), ("code verifier", verifier.reveal())]))
}

/// A code for a person to type at another device (RFC 8628 section 3.2).
pub type DeviceCode = StandardDeviceAuthorizationResponse;

/// Asks for a device code.
pub async fn device_code(subject: &Subject) -> Result<DeviceCode, ProviderError> {
    let device_url =
        DeviceAuthorizationUrl::new(subject.provider.device_url.clone()).map_err(|_| unusable("device_url"))?;
    let (client, http) = (client(subject)?.set_device_authorization_url(device_url), http(subject).await?);
    let asked: Result<DeviceCode, _> =
        client.exchange_device_code().add_scopes(scopes(subject)).request_async(&http).await;
    let code = asked.map_err(|error| refused(error, &secrets(subject, None)))?;
    let shown = Url::parse(code.verification_uri().as_str());
    if shown.is_ok_and(|url| matches!(url.scheme(), "https" | "http")) {
        Ok(code)
    } else {
        Err(ProviderError::bad_answer("it names no address to type the code at"))
    }
}

/// Asks for the tokens at the provider's interval, slower where it says so, until the person has typed the code or the
/// code has ended.
pub async fn device_tokens(subject: &Subject, code: &DeviceCode) -> Result<ProviderGrant, ProviderError> {
    let (client, http) = (client(subject)?, http(subject).await?);
    // Whatever interval it asks for.
    let pause = |interval: Duration| tokio::time::sleep(interval.max(SHORTEST_INTERVAL));
    let end = code.expires_in().min(LONGEST_DEVICE_CODE);
    let answer = client.exchange_device_access_token(code).request_async(&http, pause, Some(end)).await;
    granted(answer, &secrets(subject, [("device code", code.device_code().secret().as_str())]))
}

/// What a provider is told of a subject, and in this request.
pub fn secrets<'s>(subject: &'s Subject, more: impl IntoIterator<Item = (&'static str, &'s str)>) -> Redactor {
    let client_secret = subject.client_secret.iter().map(|secret| ("client secret", secret.reveal()));
    Redactor::of(client_secret.chain(more))
}

fn granted<E: ErrorCode>(
    answer: Result<BasicTokenResponse, RequestTokenError<HttpError, E>>,
    redactor: &Redactor,
) -> Result<ProviderGrant, ProviderError> {
    let answer = answer.map_err(|error| refused(error, redactor))?;
    if *answer.token_type() != BasicTokenType::Bearer {
        return Err(ProviderError::bad_answer("its tokens are not of the type Bearer"));
    }
    if answer.access_token().secret().is_empty() {
        return Err(ProviderError::bad_answer("its access token is empty"));
    }
    Ok(ProviderGrant {
        access_token: Secret::new(answer.access_token().secret().clone()),
        refresh_token: answer
            .refresh_token()
            .filter(|token| !token.secret().is_empty())
            .map(|token| Secret::new(token.secret().clone())),
        lasts: answer.expires_in().filter(|lasts| !lasts.is_zero()).unwrap_or(UNTOLD).min(LONGEST),
    })
}

/// An error answer's code and words.
trait ErrorCode: ErrorResponse + 'static {
    fn parts(&self) -> (&str, Option<&String>);
}

impl ErrorCode for BasicErrorResponse {
    fn parts(&self) -> (&str, Option<&String>) {
        (self.error().as_ref(), self.error_description())
    }
}

impl ErrorCode for DeviceCodeErrorResponse {
    fn parts(&self) -> (&str, Option<&String>) {
        (self.error().as_ref(), self.error_description())
    }
}

fn refused<E: ErrorCode>(error: RequestTokenError<HttpError, E>, redactor: &Redactor) -> ProviderError {
    match error {
        RequestTokenError::ServerResponse(answer) => {
            let (code, text) = answer.parts();
            let text = text.map(|text| cleaned(text, redactor)).unwrap_or_default();
            // Azure and Google say so in the protocol's words when they are down.
            let is_temporary = matches!(code, "temporarily_unavailable" | "server_error");
            ProviderError { code: cleaned(code, redactor), text, is_temporary }
        }
        RequestTokenError::Request(error) => ProviderError::http(&error, redactor),
        // The body may hold tokens.
        RequestTokenError::Parse(..) => ProviderError::bad_answer("its answer is not what the protocol asks for"),
        RequestTokenError::Other(reason) => ProviderError::bad_answer(&cleaned(&reason, redactor)),
    }
}

/// A provider's words on one short line, without any secret that they repeat.
pub fn cleaned(text: &str, redactor: &Redactor) -> String {
    let text = redactor.redact(text);
    let line = text.split(|letter: char| letter.is_control() || letter.is_whitespace()).filter(|word| !word.is_empty());
    let line = line.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::cleaned;
    use postigo_net::redaction::Redactor;

    #[test]
    fn a_providers_words_are_short_and_without_secrets() {
        let redactor = Redactor::of([("client secret", "s3cret")]);
        let words = cleaned("AADSTS70000:\r\n the token  s3cret\u{7} is bad", &redactor);
        assert_eq!(words, "AADSTS70000: the token [the client secret] is bad");
        assert_eq!(cleaned(&"ä".repeat(1_000), &redactor).chars().count(), 301);
    }
}
