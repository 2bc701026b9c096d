//! What came of a classifier's answers about a mail, as results have it: the guess, how sure it was, and what followed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What came of the answer to a question.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnswerResult {
    /// The question's name.
    pub question: String,
    /// The surest label; null where the classifier made no guess.
    #[schema(required)]
    pub label: Option<String>,
    /// How sure it was, from 0 to 1: the estimated share of such mails where the label is right. Null without a guess.
    #[schema(required)]
    pub confidence: Option<f64>,
    /// Whether a header was set by it.
    pub acted: bool,
    /// What followed for each header that the filter maps the question to, or would have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consequences: Vec<AnswerConsequence>,
    /// The pieces of the mail that mattered most, where the filter keeps them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EvidencePiece>,
}

/// What followed from an answer for one header.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnswerConsequence {
    /// The header that the answer is mapped to.
    pub header: String,
    /// What the label is mapped to; null without a guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// How sure the classifier had to be of this label.
    pub threshold: f64,
    /// What followed.
    pub outcome: ConsequenceOutcome,
    /// Why the value leads nowhere, a clause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// What followed from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConsequenceOutcome {
    /// The header was set.
    Set,
    /// Dynamic fields were set that name it.
    Suggested,
    /// Nothing was set, since the filter does not act; else the header would have been.
    WouldSet,
    /// The classifier made no guess.
    NoGuess,
    /// It has no question of this name.
    NoQuestion,
    /// It was not sure enough.
    BelowThreshold,
    /// The label is mapped to nothing, or to something that does not exist or is not in use.
    LeadsNowhere,
    /// It would end the mail's way, which the filter has no grant for.
    NotGranted,
}

/// A piece of a mail that spoke for an answer, or against it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EvidencePiece {
    /// As it stands in the mail; of a long one the beginning.
    pub text: String,
    /// How much it spoke for the guess rather than the next one; negative: against it.
    pub weight: f64,
}

impl AnswerConsequence {
    /// What followed, a sentence about a guess that was this sure.
    pub fn sentence(&self) -> String {
        let Self { header, value, threshold, outcome, because } = self;
        let value = value.as_deref().unwrap_or_default();
        match outcome {
            ConsequenceOutcome::Set => format!("{header} is set to {value:?} (threshold {threshold})."),
            ConsequenceOutcome::Suggested => format!("{value:?} is suggested for {header} (threshold {threshold})."),
            ConsequenceOutcome::WouldSet => {
                format!("{header} would be set to {value:?} (threshold {threshold}); nothing is.")
            }
            ConsequenceOutcome::NoGuess => format!("{header} is left alone."),
            ConsequenceOutcome::NoQuestion => {
                format!("{header} is left alone: the classifier has no question of this name.")
            }
            ConsequenceOutcome::BelowThreshold => format!("{header} is left alone: the threshold is {threshold}."),
            ConsequenceOutcome::LeadsNowhere => {
                let because = because.as_deref().unwrap_or("it leads nowhere");
                format!("{header} is left alone: {because}.")
            }
            ConsequenceOutcome::NotGranted => {
                format!(
                    "{header} is not set to {value:?}: that ends a mail's way, for which an admin grants \"final\"."
                )
            }
        }
    }
}

impl AnswerResult {
    /// What was guessed and what followed, in sentences.
    pub fn sentences(&self) -> String {
        let question = &self.question;
        let guess = match (&self.label, self.confidence) {
            (Some(label), Some(confidence)) => format!("{question}: {label:?}, confidence {confidence}."),
            _ => format!("{question}: no guess."),
        };
        let consequences = self.consequences.iter().map(AnswerConsequence::sentence);
        std::iter::once(guess).chain(consequences).collect::<Vec<_>>().join(" ")
    }
}
