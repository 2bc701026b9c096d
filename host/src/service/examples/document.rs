//! What there is to learn from, as it is shown.

use super::collection::{ExampleSet, LabelCount, QuestionLabels};
use serde::Serialize;

/// How many examples there are, of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExampleReport {
    /// The questions with their labels.
    pub questions: Vec<QuestionDocument>,
    /// How many mails are examples.
    pub examples: usize,
    /// How many mails belong to no label: spam, removed tickets, ignored mails.
    pub outside: usize,
    /// How many tickets were looked at.
    pub looked_at: i64,
    /// How many of them teach nothing, and why.
    pub without_lesson: Vec<ReasonDocument>,
    /// How many of the labelled mails that were given teach nothing: their labels lead nowhere, or are of other questions.
    pub labelled_without_lesson: usize,
    /// How many tickets' first mails are not kept any more.
    pub without_bytes: usize,
    /// How many were left out, since there are enough of their labels.
    pub passed_over: usize,
    /// Whether older tickets were not looked at, since there are too many.
    pub bound_reached: bool,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuestionDocument {
    /// Its name.
    pub question: String,
    /// Its labels, in byte order.
    pub labels: Vec<LabelDocument>,
}

/// A label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabelDocument {
    /// The label.
    pub label: String,
    /// How many examples have it.
    pub examples: usize,
    /// Of how many of these somebody gave it: moved the ticket, or said so.
    pub given: usize,
}

/// Why tickets teach nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonDocument {
    /// The reason, of tickets.
    pub reason: &'static str,
    /// How many.
    pub tickets: i64,
}

impl From<&ExampleSet> for ExampleReport {
    fn from(set: &ExampleSet) -> Self {
        let label = |LabelCount { label, examples, given }: &LabelCount| LabelDocument {
            label: label.clone(),
            examples: *examples,
            given: *given,
        };
        let question = |QuestionLabels { name, labels }: &QuestionLabels| QuestionDocument {
            question: name.clone(),
            labels: labels.iter().map(label).collect(),
        };
        let reasons = set.without_lesson.iter();
        Self {
            questions: set.questions.iter().map(question).collect(),
            examples: set.examples.len(),
            outside: set.outside.len(),
            looked_at: set.looked_at,
            without_lesson: reasons
                .map(|(why, count)| ReasonDocument { reason: why.told(), tickets: *count })
                .collect(),
            labelled_without_lesson: set.labelled_without_lesson,
            without_bytes: set.without_bytes,
            passed_over: set.passed_over,
            bound_reached: set.bound_reached,
        }
    }
}
