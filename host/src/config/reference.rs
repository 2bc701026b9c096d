//! Secrets that are named instead of written down: `{ env = "…" }`, `{ file = "…" }`.

use super::{Secret, form::Secrets};
use crate::regular_file::read_at_most;
use serde_json::Value;
use std::fs::File;
use std::io;

/// The secret that a value gives or names. The error says what is wrong, never what the secret is.
pub fn resolve(value: &Value, secrets: &Secrets) -> Result<Secret, String> {
    let (Secrets::References(folder), Value::Object(reference)) = (secrets, value) else {
        return match (value, secrets) {
            (Value::String(clear), _) => Ok(Secret::new(clear)),
            (_, Secrets::Strings) => Err("must be a string.".to_owned()),
            (_, Secrets::References(_)) => Err(EXPECTED.to_owned()),
        };
    };
    let mut entries = reference.iter();
    match (entries.next(), entries.next()) {
        (Some((kind, Value::String(name))), None) if kind == "env" => {
            std::env::var(name).map(Secret::new).map_err(|_| format!("the environment variable {name} is not set, or not in UTF-8."))
        }
        (Some((kind, Value::String(name))), None) if kind == "file" => {
            let path = folder.join(name);
            let bytes = File::open(&path).and_then(|file| read_at_most(file, LARGEST_SECRET));
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8")));
            let text = text.map_err(|error| format!("the file {} cannot be read: {error}.", path.display()))?;
            Ok(Secret::new(text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text))))
        }
        _ => Err(EXPECTED.to_owned()),
    }
}

/// A secret's file has at most so many bytes.
const LARGEST_SECRET: u64 = 64 << 10;

const EXPECTED: &str = "must be a string, { env = \"VARIABLE\" } or { file = \"PATH\" }.";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_are_read_without_their_last_line_break() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), "s e c\r\n").unwrap();
        let secrets = Secrets::References(folder.path().to_owned());
        assert_eq!(resolve(&json!({"file": "password"}), &secrets).unwrap().reveal(), "s e c");
        assert!(resolve(&json!({"file": "missing"}), &secrets).unwrap_err().contains("missing"));
    }

    #[test]
    fn what_comes_over_the_network_names_nothing_of_this_machine() {
        assert!(resolve(&json!({"env": "HOME"}), &Secrets::Strings).is_err());
        assert!(resolve(&json!({"file": "/etc/passwd"}), &Secrets::Strings).is_err());
        assert_eq!(resolve(&json!("clear"), &Secrets::Strings).unwrap().reveal(), "clear");
    }

    #[test]
    fn anything_else_is_told_without_its_content() {
        let secrets = Secrets::References(".".into());
        for wrong in [json!(17), json!({"env": "HOME", "file": "x"}), json!({"vault": "hidden"}), json!({})] {
            let sentence = resolve(&wrong, &secrets).unwrap_err();
            assert!(sentence.contains("{ env =") && !sentence.contains("hidden"), "{sentence}");
        }
    }
}
