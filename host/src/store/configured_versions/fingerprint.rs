//! What a thing's row was when a version of it was noted, as digests: a row that has others was changed by somebody who
//! notes nothing.

use postigo_model::hexadecimal::hexadecimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The digests of a row: of its text, and of each of its secrets as they lie there, sealed. The default is that of a row
/// that is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    text: String,
    secrets: BTreeMap<String, String>,
}

impl Fingerprint {
    /// Of a row with this text and these secrets.
    pub(super) fn of(text: &str, secrets: &Map<String, Value>) -> Self {
        let secrets = secrets.iter().map(|(name, sealed)| (name.clone(), digest(&sealed.to_string())));
        Self { text: digest(text), secrets: secrets.collect() }
    }

    /// Reads [`Self::column`]; what it did not write is the digest of a text.
    pub(super) fn read(column: &str) -> Self {
        let of_text = || Self { text: column.to_owned(), secrets: BTreeMap::new() };
        serde_json::from_str(column).unwrap_or_else(|_| of_text())
    }

    /// As it lies in a version's row: empty of what is not there; of what has no secrets the digest of its text.
    pub(super) fn column(&self) -> String {
        let whole = || serde_json::to_string(self).unwrap_or_default();
        if self.secrets.is_empty() { self.text.clone() } else { whole() }
    }

    /// The names of the secrets that another row has otherwise, or has not, or has alone.
    pub(super) fn differing_secrets(&self, other: &Self) -> Vec<String> {
        let names: BTreeSet<&String> = self.secrets.keys().chain(other.secrets.keys()).collect();
        names.into_iter().filter(|name| self.secrets.get(*name) != other.secrets.get(*name)).cloned().collect()
    }
}

/// SHA-256, hexadecimal.
fn digest(text: &str) -> String {
    hexadecimal(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_is_known_again_by_its_column_and_a_changed_secret_by_its_name() {
        let secrets = |value: Value| value.as_object().unwrap().clone();
        let row = Fingerprint::of("{}", &secrets(json!({ "password": "a", "oauth2.client_secret": "b" })));
        assert_eq!(Fingerprint::read(&row.column()), row);
        let other = Fingerprint::of("{}", &secrets(json!({ "password": "c", "oauth2.client_secret": "b" })));
        assert_ne!(row, other);
        assert_eq!(row.differing_secrets(&other), ["password"]);
        let plain = Fingerprint::of("{}", &Map::new());
        assert!(plain.column().len() == 64 && Fingerprint::read(&plain.column()) == plain);
        assert_eq!(plain.differing_secrets(&row), ["oauth2.client_secret", "password"]);
        assert_eq!((Fingerprint::read(""), Fingerprint::default().column()), (Fingerprint::default(), String::new()));
    }
}
