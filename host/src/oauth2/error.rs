//! Why there is no access token, or no sign-in.

use super::Owner;
use crate::secret_key::SecretError;
use crate::store::StoreError;
use crate::store::oauth2::ErrorRow;
use postigo_model::timestamp::rfc3339;
use postigo_supervision::Panic;

/// Why there is no access token, or no sign-in. No sentence holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum OAuth2Error {
    /// It signs in by password.
    #[error("The {0} has no table oauth2; it does not sign in by OAuth2.")]
    NotConfigured(Owner),
    /// There is none of that name.
    #[error("There is no {0}.")]
    Unknown(Owner),
    /// A key of the table is wrong.
    #[error("The {owner} cannot sign in: its key oauth2.{key} {sentence}")]
    Settings {
        /// Whose.
        owner: Owner,
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        sentence: String,
    },
    /// Nobody has signed in yet, or what tokens are got for was changed since.
    #[error("The {owner} is not signed in. Run: postigo {} sign-in {}", owner.kind(), owner.name())]
    NotSignedIn {
        /// Whose.
        owner: Owner,
    },
    /// The provider gives no access token.
    #[error("The provider gives the {owner} no access token: {}. {}", told(error), advice(owner, error))]
    Refused {
        /// Whose.
        owner: Owner,
        /// What the provider said, and since when.
        error: ErrorRow,
    },
    /// The provider did not do what a sign-in asked.
    #[error("The provider refused the sign-in of the {owner}: {code}{}", words(text))]
    Denied {
        /// Whose.
        owner: Owner,
        /// Its code.
        code: String,
        /// Its words.
        text: String,
    },
    /// An answer to a sign-in that nobody waits for.
    #[error(
        "No sign-in waits for this answer: it was answered before, it is older than its time, or it was begun elsewhere. Begin it again."
    )]
    NoSignIn,
    /// An answer without what it is for.
    #[error("The answer lacks {0}. Give the whole address that the browser was sent to.")]
    Incomplete(&'static str),
    /// The provider gave no refresh token.
    #[error("The provider gave the {owner} no refresh token, so that the sign-in would end within the hour. {advice}")]
    NoRefreshToken {
        /// Whose.
        owner: Owner,
        /// What to do.
        advice: &'static str,
    },
    /// The flow has no sign-in.
    #[error(
        "The {0} signs in as the program itself (client-credentials): there is nobody to sign in. `account test` tries it."
    )]
    NobodySignsIn(Owner),
    /// Another renewal does not end.
    #[error("The token of the {0} is being renewed elsewhere, for too long already. It is tried again.")]
    Busy(Owner),
    /// The code that talks with the provider broke.
    #[error(
        "Getting a token for the {owner} panicked: {panic}. It is tried again. This is a fault of Postigo: please report it."
    )]
    Panicked {
        /// Whose.
        owner: Owner,
        /// Where.
        panic: Panic,
    },
    /// The key does not open the tokens, or there is none.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn words(text: &str) -> String {
    if text.is_empty() { ".".to_owned() } else { format!(" ({text})") }
}

fn told(error: &ErrorRow) -> String {
    let times = if error.tries == 1 { String::new() } else { format!(", asked {} times", error.tries) };
    format!("{}{} since {}{times}", error.code, words(&error.text).trim_end_matches('.'), rfc3339(error.since))
}

fn advice(owner: &Owner, error: &ErrorRow) -> String {
    if error.is_final {
        format!("Sign in again: postigo {} sign-in {}", owner.kind(), owner.name())
    } else {
        format!(
            "It is asked again at {}; at once by `postigo {} test {}`.",
            rfc3339(error.next_try_at),
            owner.kind(),
            owner.name()
        )
    }
}
