//! Learning: examples become a model. What has to be chosen (how much is left out while fitting, how confidences are
//! meant) is chosen on examples that were kept aside, never on those that were learnt from.

mod choice;
mod documents;
mod examples;
mod fit;
mod held_out;
mod random;
mod trainer;

#[cfg(test)]
mod tests;

pub use examples::Purpose;
pub use trainer::{LabelToLearn, QuestionToLearn, TrainedModel, Trainer, TrainingError};
