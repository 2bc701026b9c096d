//! What parent and child say to one another, in frames over the child's standard input and output.
//!
//! The parent says first which program the child was to be, then the order with the component behind it, then each
//! asset. The child says how often its guest wants to see the examples; the parent sends them in that order, each with
//! its mail behind it, and says when there are no more; the child says how far it is, and at last what came out.

use super::error::TrainError;
use super::task::TrainingLimits;
use crate::child::NamedSettings;
use crate::lesson::{LabelledExample, LearningTask};
use postigo_model::guest::Grant;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// The child's order. The component follows, then a frame with the bytes of each asset.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// The folder of the caches.
    pub(super) cache: PathBuf,
    /// The component's digest.
    pub(super) digest: String,
    pub(super) member: NamedSettings,
    pub(super) grants: Vec<Grant>,
    pub(super) task: LearningTask,
    pub(super) limits: TrainingLimits,
    /// How many assets follow.
    pub(super) assets: usize,
}

/// What the parent says once the child has begun.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ParentWord {
    /// An example; its mail follows.
    Example { example: LabelledExample, account: String, received_at: i64, recipients: Vec<String> },
    /// There are no more.
    Finish,
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ChildWord {
    /// The guest wants to see the examples so often.
    Begun { passes: u32 },
    /// It has taken so many.
    Learnt(u64),
    /// The model follows.
    Trained { format: String, summary: String, own: Duration, memory: u64 },
    /// There is no model.
    Failed(TrainError),
}
