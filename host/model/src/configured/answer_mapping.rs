//! What follows from a classifier's answers, as an admin says it: how far it may go, and which header an answer sets.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How far a classifier's answers go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClassifierMode {
    /// It decides and is recorded, and sets nothing.
    Shadow,
    /// It sets dynamic fields that name what it would set, for people to read, and nothing else.
    #[default]
    Suggest,
    /// It sets headers.
    Act,
}

impl ClassifierMode {
    /// Its word in files and sentences.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Suggest => "suggest",
            Self::Act => "act",
        }
    }
}

/// What follows from the answer to a question.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AnswerMapping {
    /// The question's name.
    pub question: String,
    /// The header that its answer sets, in any case of letters.
    pub header: String,
    /// How sure the classifier must be.
    pub threshold: Thresholds,
    /// What the header is set to, by label. A label that is not here stands for itself; the empty text: nothing.
    pub values: BTreeMap<String, String>,
    /// The dynamic field that `suggest` sets to what the header would be; empty: none.
    pub guess_field: String,
    /// The dynamic field that `suggest` sets to how sure the classifier is; empty: none.
    pub confidence_field: String,
}

/// How sure a classifier must be of a label for something to follow, from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Of the labels that have none of their own.
    pub default: f64,
    /// By label.
    pub labels: BTreeMap<String, f64>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { default: 0.9, labels: BTreeMap::new() }
    }
}

impl Thresholds {
    /// That of a label.
    pub fn of(&self, label: &str) -> f64 {
        self.labels.get(label).copied().unwrap_or(self.default)
    }
}

impl AnswerMapping {
    /// What a label is mapped to; empty: nothing.
    pub fn value<'m>(&'m self, label: &'m str) -> &'m str {
        self.values.get(label).map_or(label, String::as_str)
    }
}
