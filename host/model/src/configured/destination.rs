//! Where a secret goes, as a list of keys and values: what it is sealed for, and what is compared.

/// Where a secret goes: the keys that decide it, as they take effect. Secrets are sealed for it: with another list of
/// keys, those that are stored do not open any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destination(Vec<(&'static str, String)>);

impl Destination {
    /// Where these keys, with these values, send it.
    pub(super) fn of(keys: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// Where these keys decide as well.
    pub(super) fn and(mut self, keys: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.0.extend(keys);
        self
    }

    /// As one text, in which no value can pass for another key.
    pub fn text(&self) -> String {
        serde_json::json!(self.0).to_string()
    }

    /// The keys by which another destination differs, with what they are here: `host = "mail.example.org"`.
    pub fn unlike(&self, other: &Self) -> Vec<String> {
        let differs = |(key, value): &&(&'static str, String)| {
            !other.0.iter().any(|(there, theirs)| there == key && theirs == value)
        };
        self.0.iter().filter(differs).map(|(key, value)| format!("{key} = {value:?}")).collect()
    }
}
