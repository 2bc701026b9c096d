//! Access tokens (OAuth 2.0, RFC 6749) for accounts and transports: got by a sign-in, kept sealed in the store, renewed
//! before they end.
//!
//! [`Tokens`] hands clients what they sign in with. Tokens lie in the database alone, so that all hosts and commands
//! see the same: a renewal is claimed there, and what it gave is durable, rotated refresh token included, before
//! anybody uses it.

mod error;
mod grant;
mod http;
mod provider;
mod renewal;
mod sign_in;
mod state;
mod subject;
mod tokens;
mod watch;

pub use error::OAuth2Error;
pub use provider::{Flow, Provider, Purpose, is_loopback};
pub use sign_in::{BegunSignIn, DeviceWait, SignInProgress};
pub use state::{SignInState, StateError, UnderWay};
pub use subject::Subject;
pub use tokens::Tokens;
pub use watch::TokenWatch;

use crate::store::oauth2::TokenOwner;

/// Whose tokens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// An account, by name.
    Account(String),
    /// A transport, by name.
    Transport(String),
}

impl Owner {
    /// `account` or `transport`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::Transport(_) => "transport",
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Account(name) | Self::Transport(name) => name,
        }
    }

    pub(crate) fn key(&self) -> TokenOwner {
        TokenOwner { kind: self.kind().to_owned(), name: self.name().to_owned() }
    }

    /// The owner of this kind (as [`Self::kind`] names it) and name; none where things of the kind do not sign in.
    pub fn of_kind(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "account" => Some(Self::Account(name.to_owned())),
            "transport" => Some(Self::Transport(name.to_owned())),
            _ => None,
        }
    }

    fn of(key: &TokenOwner) -> Self {
        Self::of_kind(&key.kind, &key.name).unwrap_or_else(|| Self::Account(key.name.clone()))
    }
}

/// `account "main"`
impl std::fmt::Display for Owner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {:?}", self.kind(), self.name())
    }
}
