//! The classifier that ships with Postigo: it learns from filed tickets which label a mail has (its queue, its
//! priority), and answers for new mails with a confidence and with the words that decided.
//!
//! [`Trainer`] takes the questions with their labels, then examples, and makes the bytes of a model. [`Classifier`]
//! reads these bytes, which it does not trust, and answers. Both take a mail as an [`Excerpt`]. The method is a linear
//! one over hashed pieces of text: it learns ten thousand tickets in seconds, answers in microseconds, and can say why.
//! The same examples in the same order with the same seed give the same bytes on every machine.
//!
//! Rooms, each using what stands below it: `component` (what the host calls), `learning` (examples to a model), `model`
//! (a model's bytes, and answers), `reading` (a mail to features), `functions`.

mod component;
mod functions;
mod learning;
mod model;
mod reading;

pub use component::{ClassifierFilter, ClassifierTraining, Settings};
pub use learning::{LabelToLearn, Purpose, QuestionToLearn, TrainedModel, Trainer, TrainingError};
pub use model::{Answer, Classifier, Evidence, FORMAT, Guess, KnownLabel, KnownQuestion, ModelError};
pub use reading::Excerpt;
