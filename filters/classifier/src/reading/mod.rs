//! Reading: from a mail's subject and body to hashed features. What is old in a body (quotes, signatures, disclaimers)
//! is cut first, since it tells of other mails than this one.

mod features;
mod new_text;
mod phrases;
mod words;

pub use features::{Block, Features, visit};
pub use new_text::new_text;
pub use words::Words;

/// At most so many characters of a mail are read, its subject among them: what it is about is said by then, and time
/// and memory have a bound.
pub const CHARACTERS: usize = 2_000;
/// Of which the subject has at most so many.
const SUBJECT_CHARACTERS: usize = 300;

/// What a classifier is given of a mail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Excerpt<'m> {
    /// The subject, decoded; `Re:` and ticket numbers may stand in it.
    pub subject: &'m str,
    /// The body as text, as received: quotes and signatures are cut here. Of any length; about the first 2,000
    /// characters of what is new are read.
    pub text: &'m str,
}

impl Excerpt<'_> {
    /// The words that are read of it: those of the subject, then those of the new text.
    pub(crate) fn words(&self) -> Words {
        let mut words = Words::default();
        let left = words.add(new_text::bare_subject(self.subject), SUBJECT_CHARACTERS);
        words.end_of_part();
        let room = CHARACTERS - (SUBJECT_CHARACTERS - left);
        words.add(&new_text(self.text, room), room);
        words.end_of_part();
        words
    }
}
