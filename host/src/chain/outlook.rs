//! What would follow from each label of a classifier's questions, before any mail comes: for admins, so that a label that
//! leads nowhere is known beforehand.

use super::answering::AnswerRules;
use postigo_mail::{Vocabulary, is_final};
use postigo_model::classification::Question;
use postigo_model::configured::AnswerMapping;
use serde::Serialize;
use utoipa::ToSchema;

/// A question that a filter maps to a header.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MappedQuestion {
    /// The question's name.
    pub question: String,
    /// The header that its answer sets.
    pub header: String,
    /// Whether the classifier has such a question; while it has no model, it has none.
    pub is_asked: bool,
    /// The question's labels.
    pub labels: Vec<MappedLabel>,
    /// Labels that the filter has values or thresholds for and the question does not have.
    pub unknown_labels: Vec<String>,
}

/// A label of such a question.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MappedLabel {
    /// The label.
    pub label: String,
    /// What the header would be set to.
    pub value: String,
    /// How sure the classifier must be.
    pub threshold: f64,
    /// Why nothing would be set, a clause; null where something would.
    #[schema(required)]
    pub nothing_since: Option<String>,
    /// Whether it ends a mail's way, which needs the grant `final`.
    pub needs_final: bool,
}

impl AnswerRules {
    /// What would follow from the labels of these questions.
    pub fn outlook(&self, questions: &[Question], vocabulary: &Vocabulary) -> Vec<MappedQuestion> {
        let mapped = self.mappings.iter().map(|mapping| {
            let asked = questions.iter().find(|question| question.name == mapping.question);
            let labels = asked.map(|question| question.labels.as_slice()).unwrap_or_default();
            let named = mapping.values.keys().chain(mapping.threshold.labels.keys());
            let mut unknown: Vec<String> = named.filter(|label| !labels.contains(label)).cloned().collect();
            unknown.sort();
            unknown.dedup();
            MappedQuestion {
                question: mapping.question.clone(),
                header: mapping.header.clone(),
                is_asked: asked.is_some(),
                labels: labels.iter().map(|label| mapped_label(mapping, label, vocabulary)).collect(),
                unknown_labels: if asked.is_some() { unknown } else { Vec::new() },
            }
        });
        mapped.collect()
    }
}

fn mapped_label(mapping: &AnswerMapping, label: &str, vocabulary: &Vocabulary) -> MappedLabel {
    let value = mapping.value(label);
    let (nothing_since, needs_final) = match vocabulary.may_set(&mapping.header) {
        Err(why) => (Some(why.to_string()), false),
        Ok(_) if value.is_empty() => (Some("it is mapped to nothing".to_owned()), false),
        Ok(settable) => (vocabulary.why_nowhere(&settable.name, value), is_final(&settable.name, value)),
    };
    MappedLabel {
        label: label.to_owned(),
        value: value.to_owned(),
        threshold: mapping.threshold.of(label),
        nothing_since,
        needs_final,
    }
}
