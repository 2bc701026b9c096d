//! How an owner's sign-in stands, for people. No token is in it.

use super::provider::Flow;
use super::tokens::row_of;
use super::{OAuth2Error, Subject, Tokens};
use crate::store::oauth2::{self as rows, ErrorRow, OAuth2TokenRow, SignInRow, SignInStatus};
use postigo_model::timestamp::rfc3339;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// A warning comes so long before a refresh token ends of disuse.
const WARNED_BEFORE: Duration = Duration::from_hours(14 * 24);

/// How a sign-in stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SignIn)]
pub struct SignInState {
    /// `code`, `device`, `client-credentials`.
    pub flow: String,
    /// Whether access tokens can be had without a person, as far as is known: somebody signed in, or, by client
    /// credentials, the provider has given one.
    pub signed_in: bool,
    /// The last sign-in by a person, RFC 3339; null: none.
    #[schema(format = DateTime, required)]
    pub signed_in_at: Option<String>,
    /// The provider's last access token, RFC 3339.
    #[schema(format = DateTime, required)]
    pub refreshed_at: Option<String>,
    /// The access token's end, RFC 3339; it is renewed before.
    #[schema(format = DateTime, required)]
    pub expires_at: Option<String>,
    /// The refresh token's end if it is not used, RFC 3339, as far as the provider's rule is known.
    #[schema(format = DateTime, required)]
    pub refresh_token_ends_at: Option<String>,
    /// What calls for a person soon, a sentence.
    #[schema(required)]
    pub warning: Option<String>,
    /// What the provider refuses, until it no longer does.
    #[schema(required)]
    pub error: Option<StateError>,
    /// The sign-in that was begun last, until it succeeds.
    #[schema(required)]
    pub under_way: Option<UnderWay>,
}

/// What a provider refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SignInError)]
pub struct StateError {
    /// The provider's code; `unreachable`, `http-503`, `bad-answer` where it gave none.
    pub code: String,
    /// Its words.
    pub text: String,
    /// The first time, RFC 3339.
    #[schema(format = DateTime)]
    pub since: String,
    /// The last time, RFC 3339.
    #[schema(format = DateTime)]
    pub at: String,
    /// How often in a row.
    pub tries: i64,
    /// Whether only a new sign-in helps.
    pub sign_in_again: bool,
    /// When it is asked again, RFC 3339; null: not before a new sign-in.
    #[schema(format = DateTime, required)]
    pub next_try_at: Option<String>,
}

/// A sign-in that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SignInUnderWay)]
pub struct UnderWay {
    /// `code`, `device`.
    pub flow: String,
    /// `waiting`, `failed`, `expired`.
    pub status: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// Of a device code: where it is to be typed.
    #[schema(required)]
    pub verification_uri: Option<String>,
    /// The code to type.
    #[schema(required)]
    pub user_code: Option<String>,
    /// The provider's code, where it failed.
    #[schema(required)]
    pub error_code: Option<String>,
    /// Its words.
    #[schema(required)]
    pub error_text: Option<String>,
}

impl Tokens {
    /// How a subject's sign-in stands.
    pub async fn state(&self, subject: &Subject) -> Result<SignInState, OAuth2Error> {
        let row = row_of(&self.store, subject).await?;
        let latest =
            rows::latest(&self.store, &subject.owner.key()).await?.filter(|latest| latest.status != SignInStatus::Done);
        Ok(state(subject, row.as_ref(), latest))
    }
}

fn state(subject: &Subject, row: Option<&OAuth2TokenRow>, latest: Option<SignInRow>) -> SignInState {
    let by_itself = subject.flow() == Flow::ClientCredentials;
    let error = row.and_then(|row| row.error.as_ref());
    // Whose provider was never asked may have a wrong secret.
    let has_tokens =
        row.is_some_and(|row| if by_itself { row.refreshed_at.is_some() } else { row.refresh_token.is_some() });
    let ends_at = row.and_then(|row| ends_at(subject, row));
    let warning = match (ends_at, row) {
        (Some(end), Some(row)) if warns(end, row.now) => {
            let owner = &subject.owner;
            Some(format!(
                "The refresh token ends {} if it is not used. Sign in again: postigo {} sign-in {}",
                rfc3339(end),
                owner.kind(),
                owner.name()
            ))
        }
        _ => None,
    };
    SignInState {
        flow: subject.flow().name().to_owned(),
        signed_in: has_tokens && !error.is_some_and(|error| error.is_final),
        signed_in_at: row.and_then(|row| row.signed_in_at).map(rfc3339),
        refreshed_at: row.and_then(|row| row.refreshed_at).map(rfc3339),
        expires_at: row.and_then(|row| row.expires_at).map(rfc3339),
        refresh_token_ends_at: ends_at.map(rfc3339),
        warning,
        error: error.map(state_error),
        under_way: latest.map(under_way),
    }
}

/// The end of a refresh token that is not used any more.
pub(super) fn ends_at(subject: &Subject, row: &OAuth2TokenRow) -> Option<i64> {
    let age = i64::try_from(subject.provider.refresh_token_age?.as_millis()).ok()?;
    row.refresh_token.as_ref()?;
    Some(row.refreshed_at?.saturating_add(age))
}

/// Whether an end is near enough to warn of it.
pub(super) fn warns(end: i64, now: i64) -> bool {
    i64::try_from(WARNED_BEFORE.as_millis()).is_ok_and(|before| end.saturating_sub(before) <= now)
}

fn state_error(error: &ErrorRow) -> StateError {
    StateError {
        code: error.code.clone(),
        text: error.text.clone(),
        since: rfc3339(error.since),
        at: rfc3339(error.at),
        tries: error.tries,
        sign_in_again: error.is_final,
        next_try_at: (!error.is_final).then(|| rfc3339(error.next_try_at)),
    }
}

fn under_way(row: SignInRow) -> UnderWay {
    let shown: serde_json::Value = serde_json::from_str(&row.shown).unwrap_or_default();
    let text = |key: &str| shown[key].as_str().map(str::to_owned);
    UnderWay {
        verification_uri: text("verification_uri"),
        user_code: text("user_code"),
        flow: row.flow,
        status: row.status.name().to_owned(),
        expires_at: rfc3339(row.expires_at),
        error_code: row.error_code,
        error_text: row.error_text,
    }
}
