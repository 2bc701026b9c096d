//! How a command ends when it could not do what was asked.

use super::printable;
use crate::service::{ServiceError, ThingMistake};
use std::process::ExitCode;

/// A command's failure: sentences for standard error, and the exit status.
///
/// Every [`std::error::Error`] becomes one with exit status 1, so that `?` works on the errors of all modules.
#[derive(Debug)]
pub struct CommandError {
    status: u8,
    sentences: Vec<String>,
}

impl CommandError {
    /// A problem, told in a sentence; exit status 1.
    pub fn because(sentence: impl Into<String>) -> Self {
        Self { status: 1, sentences: vec![sentence.into()] }
    }

    /// Several problems, a line each, printed as they are; exit status 1.
    pub fn lines(lines: Vec<String>) -> Self {
        Self { status: 1, sentences: lines }
    }

    /// The same failure with another exit status.
    #[must_use]
    pub fn with_status(self, status: u8) -> Self {
        Self { status, ..self }
    }

    /// The sentences.
    pub(super) fn sentences(&self) -> &[String] {
        &self.sentences
    }

    /// Prints the sentences to standard error and gives the exit status.
    pub(super) fn tell(self) -> ExitCode {
        for sentence in &self.sentences {
            eprintln!("{}", printable::lines(sentence));
        }
        ExitCode::from(self.status)
    }
}

/// What the service refuses; each mistake in what was given with the option that gave it, which `option` knows by the
/// key.
pub fn of_options(refused: ServiceError, option: impl Fn(&str) -> String) -> CommandError {
    let ServiceError::Mistakes(mistakes) = refused else { return refused.into() };
    let line = |mistake: ThingMistake| {
        // `/to/0` is the first that `--to` gives.
        let key = mistake.breach.place.split('/').nth(1).unwrap_or_default();
        format!("--{}: {}", option(key), mistake.breach.sentence)
    };
    CommandError::lines(mistakes.into_iter().map(line).collect())
}

impl<E: std::error::Error> From<E> for CommandError {
    fn from(error: E) -> Self {
        Self::because(error.to_string())
    }
}
