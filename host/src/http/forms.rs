//! Values that several nouns write the same way, for the OpenAPI document. They are written and read by [`postigo_model::configured::form`].

#![allow(dead_code, reason = "these shapes are described, never made")]

use utoipa::ToSchema;

/// `true`: in use; `false`: not in use; `"temporarily-invalid"`: not in use for now.
#[derive(ToSchema)]
#[schema(as = Validity)]
#[serde(untagged)]
pub enum ValidityForm {
    /// In use, or not.
    Flag(bool),
    /// Not in use for now.
    Word(TemporarilyInvalid),
}

/// The word that stands beside `true` and `false` in `valid`.
#[derive(ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TemporarilyInvalid {
    /// Not in use for now.
    TemporarilyInvalid,
}

/// Sign-in by OAuth2.
#[derive(ToSchema)]
#[schema(as = OAuth2)]
#[serde(deny_unknown_fields)]
pub struct OAuth2Form {
    /// A provider whose addresses are known (`microsoft`, `google`); empty: the addresses below.
    provider: String,
    /// The client that the provider registered.
    client_id: String,
    /// Its secret.
    #[schema(write_only, required, nullable = false)]
    client_secret: Option<String>,
    /// The directory of a `microsoft` account.
    tenant: String,
    /// Authorization endpoint (RFC 6749 section 3.1).
    authorize_url: String,
    /// Token endpoint (RFC 6749 section 3.2).
    token_url: String,
    /// Device authorization endpoint (RFC 8628).
    device_url: String,
    /// Scopes.
    scopes: Vec<String>,
    /// The grant: `code`, `device`, `client-credentials`; empty: the provider's usual one.
    flow: String,
    /// Where the browser is sent back to; empty: `http://localhost:8025/oauth2/callback`.
    redirect_url: String,
    /// A duration: a refresh token ends after so long without use; null: the provider's, as far as it is known; `0`: never.
    #[schema(required)]
    refresh_token_age: Option<String>,
}
