//! What a guest that learns is told: questions with their labels, and what each example is for. Plain types, which the world
//! of such guests and the training speak of.

use serde::{Deserialize, Serialize};

/// A question to be learnt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearningTopic {
    /// The question's name, of 1 to 200 bytes; each once.
    pub name: String,
    /// Its labels, as they are called today.
    pub labels: Vec<TopicLabel>,
}

/// A label to be learnt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicLabel {
    /// Its name, of 1 to 200 bytes; each once a question.
    pub name: String,
    /// What the admin says of it, at most 4 KiB; may be empty.
    pub description: String,
}

/// What an example is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To learn from.
    Fit,
    /// Belongs to no label.
    Outside,
    /// Never seen while fitting; for temperature and thresholds.
    Calibrate,
}

/// An example without its mail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelledExample {
    /// What it is for.
    pub purpose: Purpose,
    /// For each topic, in their order, the place of the right label; none where nobody knows.
    pub labels: Vec<Option<u32>>,
    /// How much it counts: finite, and more than 0.
    pub weight: f32,
}

/// What the guest is to learn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LearningTask {
    pub(crate) topics: Vec<LearningTopic>,
    /// Of each topic, how many examples to fit each label has.
    pub(crate) examples: Vec<Vec<u64>>,
    /// How many examples there are to fit, outside, and to calibrate.
    pub(crate) fit: u64,
    pub(crate) outside: u64,
    pub(crate) calibrate: u64,
    pub(crate) seed: u64,
}
