//! A model: what was learnt of some questions, as bytes that are read without trust, and the answers that it gives.

mod confidence;
mod evidence;
mod format;
mod table;
mod weighing;

pub use confidence::Confidence;
pub use evidence::Evidence;
pub use format::{FORMAT, ModelError, encoded_size, write};
pub use table::{Table, padded};
pub use weighing::{Packed, ROW_BITS, Weighing, Weighted};

use crate::reading::{Excerpt, Features};

/// How a label came into a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// Nothing is known of it: it is never guessed.
    Nothing,
    /// By its name, description or keywords alone: it is guessed, and never with more confidence than one half.
    Words,
    /// By examples.
    Examples,
}

/// A label of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLabel {
    /// Its name.
    pub name: String,
    /// How many examples it was learnt from.
    pub examples: u32,
    pub(crate) ground: Ground,
}

/// A question that a model answers.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownQuestion {
    /// Its name.
    pub name: String,
    /// Its labels; a [`Guess`] names one by its place here.
    pub labels: Vec<KnownLabel>,
    pub(crate) confidence: Confidence,
    /// What each label has before a word is read.
    pub(crate) bias: Vec<f32>,
    /// What each feature says for each label.
    pub(crate) table: Table,
}

/// A label with how sure the classifier is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guess {
    /// Its place in [`KnownQuestion::labels`].
    pub label: usize,
    /// The estimated share of mails of this kind for which the label is right, 0 to 1; what belongs to no label counts as wrong.
    pub confidence: f32,
}

/// The answer to a question.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The best guesses, the surest first. None where the mail says nothing that the model could know it by, or no label can be guessed.
    pub guesses: Vec<Guess>,
    /// What mattered most, the weightiest first; empty unless it was asked for.
    pub evidence: Vec<Evidence>,
}

/// Answers questions about mails by a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    weighing: Weighing,
    questions: Vec<KnownQuestion>,
}

impl Classifier {
    /// Reads a model. Its bytes may be anything: what is not a whole model of the format [`FORMAT`] is an error, and no
    /// more memory is taken than they have.
    pub fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        let (weighing, questions) = format::read(bytes)?;
        Ok(Self { weighing, questions })
    }

    /// The questions, in the order of the answers.
    pub fn questions(&self) -> &[KnownQuestion] {
        &self.questions
    }

    /// Says that a label is never to be guessed, because it leads nowhere any more; the others share what it had.
    /// Nothing happens where there is none of that number.
    pub fn leave_out(&mut self, question: usize, label: usize) {
        if let Some(left_out) = self.questions.get_mut(question).and_then(|found| found.labels.get_mut(label)) {
            left_out.ground = Ground::Nothing;
        }
    }

    /// Gives a label another name. Nothing happens where there is none of that number.
    pub fn rename(&mut self, question: usize, label: usize, name: &str) {
        if let Some(renamed) = self.questions.get_mut(question).and_then(|found| found.labels.get_mut(label)) {
            name.clone_into(&mut renamed.name);
        }
    }

    /// Answers all questions about a mail: at most `guesses` guesses and `evidence` pieces of evidence each. Time and
    /// memory are bounded, whatever the mail is.
    pub fn classify(&self, excerpt: &Excerpt, guesses: usize, evidence: usize) -> Vec<Answer> {
        let words = excerpt.words();
        let features = Features::of(&words);
        let packed = Packed::all_of(&features);
        let weighted = self.weighing.weigh(&packed);
        let answer = |question: &KnownQuestion| {
            // Evidence compares the first two, whether or not they are asked for.
            let limit = if evidence > 0 { guesses.max(2) } else { guesses };
            let mut answer = Answer { guesses: question.guess(&weighted, limit), evidence: Vec::new() };
            if evidence > 0
                && let [first, others @ ..] = &answer.guesses[..]
            {
                let second = others.first().map(|second| second.label);
                let said = |weighted: &Weighted| question.table.difference(weighted, first.label, second);
                answer.evidence = evidence::evidence(&words, &features, &weighted, said, evidence);
            }
            answer.guesses.truncate(guesses);
            answer
        };
        self.questions.iter().map(answer).collect()
    }
}

impl KnownQuestion {
    /// At most `limit` of the labels that can be guessed, the surest first; none where no feature of the mail was ever learnt from.
    fn guess(&self, weighted: &[Weighted], limit: usize) -> Vec<Guess> {
        let mut logits = self.bias.clone();
        if !self.table.add(weighted, &mut logits) {
            return Vec::new();
        }
        let can_be = |label: usize| self.labels.get(label).is_some_and(|known| known.ground != Ground::Nothing);
        let mut guesses = self.confidence.guesses(&logits, can_be, limit);
        for guess in &mut guesses {
            if self.labels.get(guess.label).is_some_and(|known| known.ground == Ground::Words) {
                guess.confidence = guess.confidence.min(0.5);
            }
        }
        guesses
    }
}

#[cfg(test)]
mod tests;
