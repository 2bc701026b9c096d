//! Why a use case was not carried out: one type for all of them, each of its kinds a sentence.
//!
//! What of it is told, and in which words beyond the sentence, is the business of whoever asked: a status code, an exit
//! status, an advice.

use super::upgrades::UpgradeDocument;
use crate::oauth2::OAuth2Error;
use crate::store::StoreError;
use postigo_model::configured::Breach;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// There is nothing of this name.
    #[error("There is no {what} \"{name}\".")]
    Missing {
        /// What it would be: `system address`.
        what: String,
        /// The name.
        name: String,
    },
    /// What was named is not there, and there is more to say of it: a sentence.
    #[error("{0}")]
    NotFound(String),
    /// There is one of this name, and it is not in use.
    #[error("The {what} \"{name}\" is not valid.")]
    NotValid {
        /// What it is.
        what: String,
        /// The name.
        name: String,
    },
    /// It contradicts what is there: a sentence.
    #[error("{0}")]
    Conflict(String),
    /// There is a thing of this name already.
    #[error("There is a {what} \"{name}\" already.")]
    Taken {
        /// What it is.
        what: String,
        /// The name.
        name: String,
    },
    /// The thing is not what whoever asked takes it for: a sentence.
    #[error("{0}")]
    Changed(String),
    /// Others changed the same thing first, each time that it was tried.
    #[error("{0}")]
    Overtaken(String),
    /// What was given has mistakes.
    #[error("{}", lines(.0))]
    Mistakes(Vec<ThingMistake>),
    /// The file is no component that Postigo takes: a clause that says why.
    #[error("The component is not taken: {0}")]
    NotTaken(String),
    /// Filters cannot run with the version that they were to be upgraded to.
    #[error("{}", .0.refusal())]
    NotUpgraded(Box<UpgradeDocument>),
    /// A file cannot be read.
    #[error("The file {path} cannot be read: {reason}.")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A configuration file has mistakes, `FILE:LINE: key KEY (THING): SENTENCE` each, in the order of the lines.
    #[error("{}", .0.join("\n"))]
    FileMistakes(Vec<String>),
    /// The name of the request was given to another one before: a sentence.
    #[error("{0}")]
    OtherRequest(String),
    /// A filter cannot run with what was asked for: a sentence.
    #[error("{0}")]
    CannotRun(String),
    /// Something that was given beside what is asked does not fit: a sentence.
    #[error("{sentence}")]
    Argument {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        sentence: String,
    },
    /// Only an admin gives filters these grants.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    NotGranted(Vec<Breach>),
    /// Who asked may not: a sentence.
    #[error("{0}")]
    NotAllowed(String),
    /// What was given is too large: a sentence.
    #[error("{0}")]
    TooLarge(String),
    /// Somebody else does not do their part now: a sentence.
    #[error("{0}")]
    TryLater(String),
    /// Something failed that whoever asked can do nothing about: a sentence for whoever runs Postigo.
    #[error("{0}")]
    Failed(String),
    /// The database could not do its part, or knows better.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A mistake in what was given, or what it would lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThingMistake {
    /// The thing, the place in it, and a clause.
    pub breach: Breach,
    /// Whether the thing is one that was given, so that the place is one of what was written; else it is another that
    /// suffers by it.
    pub is_given: bool,
}

impl ThingMistake {
    /// A mistake in what was given.
    pub fn given(kind: &'static str, name: &str, place: impl Into<String>, clause: impl Into<String>) -> Self {
        Self {
            breach: Breach { kind, name: name.to_owned(), place: place.into(), sentence: clause.into() },
            is_given: true,
        }
    }
}

fn lines(mistakes: &[ThingMistake]) -> String {
    mistakes.iter().map(|mistake| mistake.breach.to_string()).collect::<Vec<_>>().join("\n")
}

impl From<OAuth2Error> for ServiceError {
    fn from(error: OAuth2Error) -> Self {
        match error {
            OAuth2Error::Store(error) => error.into(),
            OAuth2Error::Secret(_) | OAuth2Error::Panicked { .. } => Self::Failed(error.to_string()),
            OAuth2Error::Unknown(_) => Self::NotFound(error.to_string()),
            OAuth2Error::Denied { .. } | OAuth2Error::Refused { .. } | OAuth2Error::Busy(_) => {
                Self::TryLater(error.to_string())
            }
            _ => Self::Conflict(error.to_string()),
        }
    }
}
