//! Training: a component that can learn makes a model of mails whose labels are known.
//!
//! It runs in a child process of its own, with limits of its own, where hostile code breaks nothing else and costs no
//! mail anything. The parent hands over the mails one by one and hears how far it is; what comes back is the model, and
//! nothing else of what was learnt is left. The same examples, in the same order, with the same seed give the same mails
//! in the same order to the guest.

mod child;
mod error;
mod order;
mod parent;
mod protocol;
mod task;

pub use crate::lesson::{LabelledExample, LearningTopic, Purpose, TopicLabel};
pub use child::main;
pub use error::{TrainError, TrainErrorKind};
pub use task::{ExampleMail, TrainedModel, TrainingLimits, TrainingProgress, TrainingSpec};

/// The first argument that makes the binary such a child.
pub const ARGUMENT: &str = "training-child";
