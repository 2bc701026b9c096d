//! Why there is no access token.

use super::Owner;

/// Why there is no access token. No sentence holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum OAuth2Error {
    /// Nobody has signed in yet, or the provider took the permission back.
    #[error("The {owner} is not signed in. Run: postigo {} sign-in {}", owner.kind(), owner.name())]
    NotSignedIn {
        /// Whose.
        owner: Owner,
    },
}
