//! What a client signs in with.

use crate::redaction::Redactor;
use postigo_model::configured::Secret;

/// What a client signs in with. Printing it shows no secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing is configured: the client does not sign in.
    #[default]
    None,
    /// A user and their password.
    Password {
        /// Login.
        user: String,
        /// In clear.
        password: Secret,
    },
    /// A user and an access token (RFC 6750).
    Bearer {
        /// Login.
        user: String,
        /// The access token.
        token: Secret,
    },
}

impl Credentials {
    /// What takes these credentials out of the words of a server that was told them.
    pub fn redactor(&self) -> Redactor {
        Redactor::of(match self {
            Self::None => None,
            Self::Password { password, .. } => Some(("password", password.reveal())),
            Self::Bearer { token, .. } => Some(("access token", token.reveal())),
        })
    }
}
