//! How people write which component they mean: by its name, by name and version, or by the digest of its bytes.
//!
//! The three differ in syntax, so that nobody's upload can be named like another's digest or version: a name has
//! neither `@` nor `:` and is shorter than a digest.

use std::fmt;
use std::str::FromStr;

/// The longest name of a component, in characters: one less than a digest has.
pub const LONGEST_NAME: usize = 63;
/// What a digest begins with.
const DIGEST: &str = "sha256:";
/// Hexadecimal digits of a digest.
const DIGITS: usize = 64;

/// What was written for a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComponentReference {
    /// `urgent`: the shipped one of this name, else the newest version that is activated.
    Name(String),
    /// `urgent@1.2.3`: this version of an uploaded one.
    Version {
        /// The component's name.
        name: String,
        /// Its version.
        version: String,
    },
    /// `sha256:…`: the one of these bytes, in lower case, without the beginning.
    Digest(String),
}

/// `sha256:` is not followed by a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no digest: after sha256: come {DIGITS} hexadecimal digits.")]
pub struct NoDigest(String);

impl FromStr for ComponentReference {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        if let Some(digits) = text.strip_prefix(DIGEST) {
            return if is_digest(digits) {
                Ok(Self::Digest(digits.to_ascii_lowercase()))
            } else {
                Err(NoDigest(text.to_owned()))
            };
        }
        Ok(match text.split_once('@') {
            Some((name, version)) => Self::Version { name: name.to_owned(), version: version.to_owned() },
            // As digests were written before they had a beginning; no name looks like this.
            None if is_digest(text) => Self::Digest(text.to_ascii_lowercase()),
            None => Self::Name(text.to_owned()),
        })
    }
}

impl fmt::Display for ComponentReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Version { name, version } => write!(formatter, "{name}@{version}"),
            Self::Digest(digits) => write!(formatter, "{DIGEST}{digits}"),
        }
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether an uploaded component may have this name: 1 to 63 of `a-z`, `0-9`, `.`, `_` and `-`, the first a letter or
/// digit.
pub fn is_component_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.bytes().next().is_some_and(letter)
        && name.len() <= LONGEST_NAME
        && name.bytes().all(|byte| letter(byte) || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS_OF_ONE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn names_versions_and_digests_differ_in_syntax() {
        let read = |text: &str| text.parse::<ComponentReference>();
        assert_eq!(read("urgent"), Ok(ComponentReference::Name("urgent".into())));
        assert_eq!(
            read("urgent@1.0.0-rc.1+b"),
            Ok(ComponentReference::Version { name: "urgent".into(), version: "1.0.0-rc.1+b".into() })
        );
        let digest = Ok(ComponentReference::Digest(DIGITS_OF_ONE.into()));
        for written in [format!("sha256:{DIGITS_OF_ONE}"), DIGITS_OF_ONE.into(), DIGITS_OF_ONE.to_uppercase()] {
            assert_eq!(read(&written), digest, "{written}");
        }
        assert!(read("sha256:abc").unwrap_err().to_string().contains("64 hexadecimal"));
    }

    #[test]
    fn what_is_written_out_reads_as_the_same() {
        for text in ["urgent", "urgent@1.0.0", &format!("sha256:{DIGITS_OF_ONE}")] {
            assert_eq!(text.parse::<ComponentReference>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn no_name_that_may_be_uploaded_is_read_as_anything_but_a_name() {
        let longest = "a".repeat(LONGEST_NAME);
        for name in ["a", "urgent", "0.a_b-c", "sha256", longest.as_str()] {
            assert!(is_component_name(name), "{name}");
            assert_eq!(name.parse(), Ok(ComponentReference::Name(name.into())));
        }
        // Another case, letters that only look like ours, a version or digest in the name, and what shells and paths
        // take for theirs.
        let look_alikes = [
            "",
            "Match",
            "mаtch",
            "match@1.0.0",
            "sha256:ab",
            DIGITS_OF_ONE,
            "-match",
            ".match",
            "a b",
            "a/b",
            "a\u{202e}b",
        ];
        for name in look_alikes {
            assert!(!is_component_name(name), "{name}");
        }
    }
}
