//! A mail that a classifier was asked about, with what would have been right.

use postigo_model::classification::Guess;
use std::collections::BTreeMap;

/// A mail that a classifier has answered and had not seen before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JudgedMail {
    /// The right label, by its place in the question's labels; none where the mail belongs to none.
    pub right: Option<u32>,
    /// The classifier's guesses, the surest first; none is an abstention.
    pub guesses: Vec<Guess>,
    /// The language it is written in, as `de`; empty where nobody knows.
    pub language: String,
}

impl JudgedMail {
    /// The first guess.
    pub fn first(&self) -> Option<Guess> {
        self.guesses.first().copied()
    }

    /// How sure the classifier is of its first guess, 0 to 1; 0 for an abstention.
    pub fn confidence(&self) -> f64 {
        self.first().map_or(0.0, |guess| f64::from(guess.confidence))
    }

    /// Whether the first guess is the right label. Where no label is right, no guess is.
    pub fn is_right(&self) -> bool {
        self.right.is_some() && self.first().map(|guess| guess.label) == self.right
    }
}

/// The mails of each language; those of which nobody knows it stand under the empty one.
pub fn by_language<'m>(mails: impl IntoIterator<Item = &'m JudgedMail>) -> BTreeMap<&'m str, Vec<&'m JudgedMail>> {
    let mut parts: BTreeMap<&'m str, Vec<&'m JudgedMail>> = BTreeMap::new();
    for mail in mails {
        parts.entry(&mail.language).or_default().push(mail);
    }
    parts
}

/// Mails for tests.
#[cfg(test)]
pub mod samples {
    use super::*;

    /// A mail of a right label, with one guess.
    pub fn mail(right: Option<u32>, label: u32, confidence: f32) -> JudgedMail {
        JudgedMail { right, guesses: vec![Guess { label, confidence }], language: String::new() }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "figures of small numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn an_abstention_is_not_right_and_has_no_confidence() {
        let abstained = JudgedMail { right: Some(0), ..JudgedMail::default() };
        assert!(!abstained.is_right() && abstained.confidence() == 0.0);
        assert!(!JudgedMail::default().is_right(), "nor where no label would have been right");
    }
}
