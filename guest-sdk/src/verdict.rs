//! What a filter found.

/// What a filter found in a mail. Whether the chain stops after a match is the admin's setting, not the filter's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Whether the filter matched; the changes count only then.
    pub matched: bool,
    /// The headers to be set.
    pub changes: Vec<Change>,
    /// Why, in a few words for the log; may be empty.
    pub reason: String,
}

/// A header to be set; it replaces what was there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The header's name, in any case.
    pub header: String,
    /// Its value. Postigo turns line breaks into spaces.
    pub value: String,
}

impl Verdict {
    /// The filter has nothing to say about this mail.
    pub fn not_matched() -> Self {
        Self::default()
    }

    /// The filter matched.
    pub fn matched() -> Self {
        Self { matched: true, ..Self::default() }
    }

    /// Sets a header.
    #[must_use]
    pub fn set(mut self, header: impl Into<String>, value: impl Into<String>) -> Self {
        self.changes.push(Change { header: header.into(), value: value.into() });
        self
    }

    /// Says why, in a few words for the log.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into();
        self
    }
}
