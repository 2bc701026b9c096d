//! Secrets and texts that are named instead of written down: `{ env = "…" }`, `{ file = "…" }`.

use postigo_files::regular_file::read_at_most;
use postigo_model::configured::Secret;
use serde_json::{Map, Value};
use std::fs::File;
use std::io;
use std::path::Path;

/// Takes a secret that a value gives or names; files are relative to this folder. The error says what is wrong, never
/// what the secret is.
pub fn given_or_named(value: &Value, folder: &Path) -> Result<Secret, String> {
    let reference = match value {
        Value::String(clear) => return Ok(Secret::new(clear)),
        Value::Object(reference) => reference,
        _ => return Err(EXPECTED.to_owned()),
    };
    let text = named(reference, folder, LARGEST_SECRET).unwrap_or_else(|| Err(EXPECTED.to_owned()))?;
    Ok(Secret::new(text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text))))
}

/// The text that a table names, of at most so many bytes where it is a file's (`-`: standard input); none where the
/// table names none. The error is a sentence without what was read.
pub fn named(reference: &Map<String, Value>, folder: &Path, most: u64) -> Option<Result<String, String>> {
    let mut entries = reference.iter();
    let (Some((kind, Value::String(name))), None) = (entries.next(), entries.next()) else { return None };
    match kind.as_str() {
        "env" => Some(
            std::env::var(name).map_err(|_| format!("the environment variable {name} is not set, or not in UTF-8.")),
        ),
        "file" => Some(file(name, folder, most)),
        _ => None,
    }
}

fn file(name: &str, folder: &Path, most: u64) -> Result<String, String> {
    let (what, bytes) = if name == "-" {
        ("standard input".to_owned(), read_at_most(io::stdin().lock(), most))
    } else {
        let path = folder.join(name);
        (format!("the file {}", path.display()), File::open(&path).and_then(|file| read_at_most(file, most)))
    };
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).map_err(|_| io::Error::other("it is no text in UTF-8")));
    text.map_err(|error| format!("{what} cannot be read: {error}."))
}

/// A secret's file has at most so many bytes.
const LARGEST_SECRET: u64 = 64 << 10;

const EXPECTED: &str = "must be a string, { env = \"VARIABLE\" } or { file = \"PATH\" }.";

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::form::in_clear;
    use serde_json::json;

    #[test]
    fn files_are_read_without_their_last_line_break() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), "s e c\r\n").unwrap();
        assert_eq!(given_or_named(&json!({"file": "password"}), folder.path()).unwrap().reveal(), "s e c");
        assert!(given_or_named(&json!({"file": "missing"}), folder.path()).unwrap_err().contains("missing"));
    }

    #[test]
    fn what_comes_over_the_network_names_nothing_of_this_machine() {
        assert!(in_clear(&json!({"env": "HOME"})).is_err());
        assert!(in_clear(&json!({"file": "/etc/passwd"})).is_err());
        assert_eq!(in_clear(&json!("clear")).unwrap().reveal(), "clear");
    }

    #[test]
    fn anything_else_is_told_without_its_content() {
        for wrong in [json!(17), json!({"env": "HOME", "file": "x"}), json!({"vault": "hidden"}), json!({})] {
            let sentence = given_or_named(&wrong, Path::new(".")).unwrap_err();
            assert!(sentence.contains("{ env =") && !sentence.contains("hidden"), "{sentence}");
        }
    }
}
