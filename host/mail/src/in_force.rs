//! Headers in force: which value of a header counts, and who set it.

use super::encoded_word;
use super::vocabulary::{self, canonical_lower_case};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who set an `X-OTOBO-*` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetBy {
    /// The mail itself, from a trusted account.
    Mail,
    /// The host: a computed header or a default.
    Host,
    /// A filter, by name.
    Filter(Arc<str>),
}

/// A header in force: set by the host, a trusted mail, or a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Canonical spelling.
    pub name: String,
    /// One value, or several of a `multiple` dynamic field. They hold no CR, LF or NUL.
    pub values: Vec<String>,
    /// Who set it.
    pub by: SetBy,
    joined: String,
}

impl InForce {
    /// The values joined by a space, as filters match them.
    pub fn value(&self) -> &str {
        &self.joined
    }
}

/// All headers in force of one mail.
#[derive(Debug, Clone, Default)]
pub struct HeadersInForce {
    /// By canonical name in lower case.
    by_lower_case: BTreeMap<String, InForce>,
}

impl HeadersInForce {
    /// The one of this name (any case, `X-OTRS-*` too).
    pub fn get(&self, name: &str) -> Option<&InForce> {
        self.by_lower_case.get(canonical_lower_case(name).as_ref())
    }

    /// The value of the one of this name; none where there is none, or an empty one.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(InForce::value).filter(|value| !value.is_empty())
    }

    /// Replaces a header, its name spelt canonically. CR, LF and NUL become a space.
    pub fn set(&mut self, name: &str, values: Vec<String>, by: &SetBy) {
        let values: Vec<String> = values.into_iter().map(encoded_word::on_one_line).collect();
        let header = InForce { name: name.to_owned(), joined: values.join(" "), values, by: by.clone() };
        self.by_lower_case.insert(canonical_lower_case(name).into_owned(), header);
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &InForce> {
        self.by_lower_case.values()
    }

    /// All `X-OTOBO-*`, by name.
    pub fn otobo(&self) -> impl Iterator<Item = &InForce> {
        self.iter().filter(|header| vocabulary::is_reserved(&header.name))
    }
}
