//! The trait that a filter implements.

use crate::{Description, Mail, Verdict};
use serde::de::DeserializeOwned;

/// A filter: one set of an admin's settings for a component.
///
/// A component serves many filters, each with settings of its own; [`export!`](crate::export!) keeps one value of the
/// type for each. Values are made once, when an admin saves; every mail then starts from that state, so work done in
/// [`Filter::new`] costs nothing later and nothing of one mail is there for the next.
pub trait Filter: Sized + 'static {
    /// The settings of one filter, as the admin writes them. With `#[serde(deny_unknown_fields)]` a misspelt key is
    /// told to the admin.
    type Settings: DeserializeOwned;

    /// What the component says of itself.
    fn describe() -> Description;

    /// Makes the filter from its settings: compile patterns, load tables. `grants` are what the admin granted.
    ///
    /// # Errors
    /// Every mistake in the settings, each with its place.
    fn new(settings: Self::Settings, grants: &Grants) -> Result<Self, Vec<Problem>>;

    /// Judges a mail.
    ///
    /// # Errors
    /// A sentence for the log; the filter's failure policy follows.
    fn evaluate(&self, mail: &Mail<'_>) -> Result<Verdict, String>;
}

/// A filter that can tell beforehand, cheaply, that a mail is none of its business; export it by `export!(screened
/// TYPE)`.
///
/// One call asks all filters of a component, so that only the candidates are called one by one.
pub trait Screen: Filter {
    /// Whether the filter might match. `true` for too many mails costs time; `false` for one that would match is a bug.
    fn might_match(&self, mail: &Mail<'_>) -> bool;
}

/// What an admin granted to a filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants(Vec<String>);

impl Grants {
    /// Grants of these names.
    pub fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// Whether this was granted: `body`, `attachments`, `raw`.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|granted| granted == name)
    }
}

/// A mistake in the settings of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: a JSON Pointer (RFC 6901) into the settings, `/when/0/matches`; empty for the whole.
    pub place: String,
    /// What is wrong and what to do, a sentence.
    pub reason: String,
}

impl Problem {
    /// A mistake at a place.
    pub fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: place.into(), reason: reason.into() }
    }
}
