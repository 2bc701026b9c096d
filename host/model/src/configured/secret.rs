//! Secrets: sealed for the server that each was given for, and sent nowhere else.
//!
//! Whoever may change a host, but not read a password, must not be able to have the password sent to a host of their
//! own. So a secret that was stored knows its [`Destination`], is sealed for it, and is to be given again where a
//! change of the configuration would send it elsewhere.

use super::Destination;
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
