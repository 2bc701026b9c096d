//! Why there is no model, a sentence each.

use crate::contract::CallFailure;
use crate::refusal::PrepareError;
use postigo_model::guest::FailureKind;
use serde::{Deserialize, Serialize};

/// Why there is no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainError {
    /// What was to be learnt does not fit together.
    #[error("this cannot be learnt: {0}")]
    Task(String),
    /// The component does not export `training`.
    #[error("the component cannot be trained: it does not export postigo:classifier/training")]
    NotTrainable,
    /// It could not be started or configured.
    #[error("the training could not begin: {0}")]
    Prepare(PrepareError),
    /// The guest refused to go on, with this sentence.
    #[error("the classifier ended its training: {0}")]
    Refused(String),
    /// The guest used up its time.
    #[error(
        "the classifier took more than the {seconds} s of its own that a training may take; give it more, or fewer examples"
    )]
    Timeout {
        /// The limit.
        seconds: u64,
    },
    /// The guest broke another limit or rule.
    #[error("the training failed: {0}")]
    Failed(CallFailure),
    /// The model is larger than it may be.
    #[error(
        "the model has more than the {most} bytes that it may have; let the classifier make a smaller one, or raise the limit"
    )]
    ModelTooLarge {
        /// The limit.
        most: usize,
    },
    /// A mail could not be had.
    #[error("the mail of example {index} could not be read: {reason}")]
    Example {
        /// Its place among the examples.
        index: usize,
        /// Why, a clause.
        reason: String,
    },
    /// It took too long in all.
    #[error(
        "the training took longer than {seconds} s in all, of which a busy machine or the host's own work may be to blame; try again when there is less to do"
    )]
    TooLong {
        /// The limit.
        seconds: u64,
    },
    /// Whoever wanted it does not want it any more.
    #[error("the training was cancelled")]
    Cancelled,
    /// The host could not do its part.
    #[error("the training could not be run: {0}; try again, and look at the host's log if it stays so")]
    Unavailable(String),
}

/// The kinds of errors, for those who tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainErrorKind {
    /// It was asked for wrongly: task, settings, examples, or a component that cannot be trained.
    Request,
    /// The guest said no.
    Refused,
    /// The guest broke this limit or rule.
    Guest(FailureKind),
    /// The model is too large.
    ModelTooLarge,
    /// It was cancelled.
    Cancelled,
    /// The host's part went wrong, or took too long: it may be tried again.
    Host,
}

impl TrainError {
    /// Its kind.
    pub fn kind(&self) -> TrainErrorKind {
        match self {
            Self::Prepare(PrepareError::Failed(failure)) | Self::Failed(failure) => TrainErrorKind::Guest(failure.kind),
            Self::Prepare(PrepareError::Unavailable(_)) | Self::TooLong { .. } | Self::Unavailable(_) => {
                TrainErrorKind::Host
            }
            Self::Task(_) | Self::NotTrainable | Self::Example { .. } | Self::Prepare(_) => TrainErrorKind::Request,
            Self::Refused(_) => TrainErrorKind::Refused,
            Self::Timeout { .. } => TrainErrorKind::Guest(FailureKind::Timeout),
            Self::ModelTooLarge { .. } => TrainErrorKind::ModelTooLarge,
            Self::Cancelled => TrainErrorKind::Cancelled,
        }
    }
}
