//! A server's words, made fit for sentences and the log.

use crate::redaction::Redactor;

/// Errors may carry whole mails.
const LONGEST: usize = 300;

/// A server's words on one line of at most 300 characters, without the secrets that it was told.
pub fn said(words: &str, redactor: &Redactor) -> String {
    redactor.line(words, LONGEST)
}

/// A mail's words on one line of at most 300 characters.
pub fn short(text: &str) -> String {
    said(text, &Redactor::default())
}
