//! What a classifier says of a mail: questions with labels, and answers by the labels' places. What follows from an answer is the host's to decide.

/// A question that a classifier answers, with its possible answers.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Question {
    /// Its name, which an admin's mapping refers to: `queue`.
    pub name: String,
    /// The labels, each once.
    pub labels: Vec<String>,
}

/// A label with how sure the classifier is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guess {
    /// Its place in [`Question::labels`].
    pub label: u32,
    /// The estimated share of mails of this kind where this label is right, 0 to 1; what belongs to no label counts as wrong.
    pub confidence: f32,
}

/// A piece of the mail that spoke for the first guess, or against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// As it stands in the mail.
    pub text: String,
    /// How much it spoke for the first guess rather than the second; negative: against it.
    pub weight: f32,
}

/// The answer to one question.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The best guesses, the surest first; none is an abstention.
    pub guesses: Vec<Guess>,
    /// The pieces that mattered most; empty unless they were asked for.
    pub evidence: Vec<Evidence>,
}

/// How much of an answer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// At most so many guesses a question.
    pub guesses: u32,
    /// At most so many pieces of evidence a question; 0 where nobody reads them.
    pub evidence: u32,
}
