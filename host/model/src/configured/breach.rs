//! A rule of the configuration that does not hold.

/// A rule that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The kind of the thing: `queue`; `settings` for the general ones.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Where in it, a JSON Pointer: `/address`.
    pub place: String,
    /// What is wrong and what to do.
    pub sentence: String,
}

/// `filter "10 Invoices", key settings.when: …`
impl std::fmt::Display for Breach {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.place.trim_start_matches('/').replace('/', ".");
        let comma = if key.is_empty() { "" } else { ", key " };
        match self.name.as_str() {
            "" => write!(formatter, "{}{comma}{key}: {}", self.kind, self.sentence),
            name => write!(formatter, "{} {name:?}{comma}{key}: {}", self.kind.replace('_', " "), self.sentence),
        }
    }
}
