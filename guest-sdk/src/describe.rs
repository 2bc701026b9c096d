//! What a component says of itself.

/// What a component says of itself: its name, what it takes, what it wants and what it may set. Postigo shows it to the
/// admin and holds the component to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) summary: String,
    pub(crate) settings_schema: String,
    pub(crate) grants: Vec<String>,
    pub(crate) headers: Vec<String>,
}

impl Description {
    /// A component of this name (1 to 63 of `a-z`, `0-9`, `.`, `_` and `-`, the first a letter or digit) and version
    /// (Semantic Versioning), with one sentence for the admin who chooses it. It takes any settings, wants no
    /// grants and sets no headers.
    pub fn new(name: &str, version: &str, summary: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: summary.to_owned(),
            settings_schema: r#"{"type":"object"}"#.to_owned(),
            grants: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// The JSON Schema (draft 2020-12) of a filter's settings. Postigo checks settings against it and draws a form from
    /// it: give every property a `description`.
    #[must_use]
    pub fn settings_schema(mut self, schema: &str) -> Self {
        schema.clone_into(&mut self.settings_schema);
        self
    }

    /// Wants a grant: `body`, `attachments` or `raw`. An admin may refuse it.
    #[must_use]
    pub fn wants(mut self, grant: &str) -> Self {
        self.grants.push(grant.to_owned());
        self
    }

    /// May set this header: an exact `X-OTOBO-*` name, or a beginning that ends in `*`.
    #[must_use]
    pub fn sets(mut self, header: &str) -> Self {
        self.headers.push(header.to_owned());
        self
    }

    /// Whether a header was declared by [`Description::sets`]. Names are compared in any case of ASCII letters.
    pub fn may_set(&self, header: &str) -> bool {
        self.headers.iter().any(|declared| match declared.strip_suffix('*') {
            Some(beginning) => header.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning)),
            None => declared.eq_ignore_ascii_case(header),
        })
    }
}
