//! What a server says, without the secrets that it was told: for logs, answers and errors alike.
//!
//! A server may repeat what it was told, as it was told or in a form of its own: quoted, escaped, as numbers, in
//! base64, over several lines, and one of these within another. So a text is read as anybody may read it: `readings`
//! decodes it in every way that its decoders know, over and over again, and `wanted` finds pieces of the secrets in
//! each layer. What they come from is taken out of the text itself, and the rest of the words stays readable. It is for
//! words alone: mail and listings, by which the program goes, are never changed.
//!
//! What no decoder knows is not found: a server that hides a secret from its reader, ciphered or packed, is beyond
//! this.

mod base64;
mod escapes;
mod hexadecimal;
mod layer;
mod numbers;
mod pattern;
#[cfg(test)]
mod properties;
mod readings;
#[cfg(test)]
mod tests;

use pattern::{Letters, SecretPattern, Sighting};
use postigo_model::text::beginning;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

/// No more bytes of a text are looked at: far more than any log shows of it.
const LONGEST: usize = 16 << 10;

/// Takes the secrets of a connection out of what its server says. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor {
    /// What each is called in its place (`password`), and the secret.
    secrets: Arc<[(&'static str, SecretPattern)]>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Redactor({} secrets)", self.secrets.len())
    }
}

impl Redactor {
    /// For these secrets, each with what it is called: `("password", …)` becomes `[the password]`. Empty ones are
    /// passed over.
    pub fn of(secrets: impl IntoIterator<Item = (&'static str, impl Into<String>)>) -> Self {
        let secrets =
            secrets.into_iter().map(|(name, clear)| (name, clear.into())).filter(|(_, clear)| !clear.is_empty());
        Self { secrets: secrets.map(|(name, clear)| (name, SecretPattern::new(clear))).collect() }
    }

    /// The text without the secrets.
    pub fn redact(&self, text: &str) -> String {
        let text = beginning(text, LONGEST);
        if self.secrets.is_empty() || text.is_empty() {
            return text.to_owned();
        }
        replaced(text, self.places(text))
    }

    /// Where something tells of a secret, and of which.
    fn places(&self, text: &str) -> Vec<(Range<usize>, &'static str)> {
        let mut found = Vec::new();
        for (name, secret) in self.secrets.iter() {
            found.extend(
                secret.standing_alone(text).into_iter().map(|place| (Sighting { place, is_in_base64: false }, *name)),
            );
        }
        readings::each(text, &mut |layer| {
            let letters = Letters::of(layer);
            for (name, secret) in self.secrets.iter() {
                found.extend(secret.find(layer, &letters).into_iter().map(|found| (found, *name)));
            }
        });
        pattern::with_words(text, found)
    }

    /// The text without the secrets, on one line of at most `most` letters.
    pub fn line(&self, text: &str, most: usize) -> String {
        // First the secrets: one that a cut has halved is not found any more.
        let line: String =
            self.redact(text).trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        match line.char_indices().nth(most) {
            Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
            None => line,
        }
    }
}

/// The text with a secret's name in each range; ranges that touch, or have nothing to read between them, are one.
fn replaced(text: &str, mut found: Vec<(Range<usize>, &'static str)>) -> String {
    found.sort_by_key(|(range, _)| (range.start, range.end));
    let mut merged: Vec<(Range<usize>, &'static str)> = Vec::new();
    for (range, name) in found {
        match merged.last_mut() {
            Some((last, _))
                if text.get(last.end..range.start).is_none_or(|between| !between.contains(char::is_alphanumeric)) =>
            {
                last.end = last.end.max(range.end);
            }
            _ => merged.push((range, name)),
        }
    }
    let (mut rest, mut out) = (0, String::with_capacity(text.len()));
    for (range, name) in merged {
        out.push_str(text.get(rest..range.start).unwrap_or_default());
        let _ = write!(out, "[the {name}]");
        rest = range.end;
    }
    out.push_str(text.get(rest..).unwrap_or_default());
    out
}
