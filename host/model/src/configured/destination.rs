//! Secrets, and where each goes: to the server that it was given for, and nowhere else.
//!
//! Whoever may change a host, but not read a password, must not be able to have the password sent to a host of their own. So a secret that was
//! stored knows its [`Destination`], is sealed for it, and is to be given again where a change of the configuration would send it elsewhere.

use super::{Account, OAuth2, Tls, Transport};
use std::sync::Arc;

/// A secret that is never printed, in clear only here and on its way to a server; encrypted in the database.
#[derive(Clone, Default)]
pub struct Secret {
    clear: String,
    /// Where it goes, if it was stored; what is given anew goes wherever it is given for.
    destination: Option<Arc<Destination>>,
}

impl Secret {
    /// Takes a secret in that is given now.
    pub fn new(clear: impl Into<String>) -> Self {
        Self { clear: clear.into(), destination: None }
    }

    /// A secret that was given for this destination.
    pub fn stored(clear: String, destination: Destination) -> Self {
        Self { clear, destination: Some(Arc::new(destination)) }
    }

    /// Where it was given for, if it was stored.
    pub fn given_for(&self) -> Option<&Destination> {
        self.destination.as_deref()
    }

    /// The secret in clear, for the server that asked for it.
    pub fn reveal(&self) -> &str {
        &self.clear
    }
}

/// Two are the same if they read the same, wherever they go.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.clear == other.clear
    }
}

impl Eq for Secret {}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Where a secret goes: the keys that decide it, as they take effect. Secrets are sealed for it: with another list of keys, those that are
/// stored do not open any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destination(Vec<(&'static str, String)>);

impl Destination {
    /// Where an account's password or access token goes.
    pub fn of_account(account: &Account) -> Self {
        let port = account.port.or_else(|| account.protocol.port());
        let keys = [
            ("protocol", account.protocol.name().to_owned()),
            ("host", host(&account.host)),
            ("port", number(port)),
            ("user", account.user.clone()),
        ];
        Self(keys.into()).with_tls(&account.tls)
    }

    /// Where a transport's password or access token goes.
    pub fn of_transport(transport: &Transport) -> Self {
        let port = Some(transport.port.unwrap_or(transport.kind.port()));
        let keys = [
            ("kind", transport.kind.name().to_owned()),
            ("host", host(&transport.host)),
            ("port", number(port)),
            ("user", transport.user.clone()),
            ("allow_insecure_auth", transport.allow_insecure_auth.to_string()),
        ];
        Self(keys.into()).with_tls(&transport.tls)
    }

    fn with_tls(mut self, tls: &Tls) -> Self {
        self.0.extend([("tls.ca", tls.ca.clone()), ("tls.verify", tls.verify.to_string())]);
        self
    }

    /// Where a client's secret goes besides: to the provider, and what it buys there to the server.
    #[must_use]
    pub fn through(mut self, oauth2: Option<&OAuth2>) -> Self {
        let Some(oauth2) = oauth2 else { return self };
        self.0.extend([
            ("oauth2.provider", oauth2.provider.clone()),
            ("oauth2.tenant", oauth2.tenant.clone()),
            ("oauth2.client_id", oauth2.client_id.clone()),
            ("oauth2.authorize_url", oauth2.authorize_url.clone()),
            ("oauth2.token_url", oauth2.token_url.clone()),
            ("oauth2.device_url", oauth2.device_url.clone()),
        ]);
        self
    }

    /// As one text, in which no value can pass for another key.
    pub fn text(&self) -> String {
        serde_json::json!(self.0).to_string()
    }

    /// The keys by which another destination differs, with what they are here: `host = "mail.example.org"`.
    pub fn unlike(&self, other: &Self) -> Vec<String> {
        let differs = |(key, value): &&(&'static str, String)| !other.0.iter().any(|(there, theirs)| there == key && theirs == value);
        self.0.iter().filter(differs).map(|(key, value)| format!("{key} = {value:?}")).collect()
    }
}

/// Hosts are the same whatever their case.
fn host(host: &str) -> String {
    host.to_lowercase()
}

fn number(port: Option<u16>) -> String {
    port.unwrap_or_default().to_string()
}
