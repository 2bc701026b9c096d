//! The settings of one filter, as an admin writes them.

use postigo_filter::{Description, Problem};
use serde::Deserialize;

/// The settings of one filter.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What must hold, all of it. A filter without entries never matches.
    #[serde(default)]
    pub when: Vec<When>,
    /// What is set when it holds.
    #[serde(default)]
    pub set: Vec<Set>,
}

/// A condition on a header.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The header's name in any case, or `Body`.
    pub header: String,
    /// A pattern, or `EMAILADDRESS:` and a pattern.
    pub matches: String,
    /// Whether the condition holds where the pattern does not match.
    #[serde(default)]
    pub negate: bool,
}

/// A header to be set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// An `X-OTOBO-*` header.
    pub header: String,
    /// The value, with `[***]` and `[** \name **]`.
    pub value: String,
}

/// Headers that the host computes; no filter sets them.
const COMPUTED: [&str; 6] = [
    "X-OTOBO-AttachmentCount",
    "X-OTOBO-AttachmentExists",
    "X-OTOBO-BodyDecrypted",
    "X-OTOBO-Bounce",
    "X-OTOBO-Bounce-ErrorMessage",
    "X-OTOBO-Bounce-OriginalMessageID",
];

const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "when": {
      "title": "Conditions",
      "description": "All must hold. Without any the filter never matches.",
      "type": "array",
      "default": [],
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["header", "matches"],
        "properties": {
          "header": {
            "description": "The name of a header in any case, or Body. A header that is missing is the empty string.",
            "type": "string",
            "minLength": 1
          },
          "matches": {
            "description": "A regular expression, found anywhere in the value, in any case of letters. EMAILADDRESS: before it matches it against each whole address of the header.",
            "type": "string"
          },
          "negate": { "description": "Holds where the expression does not match.", "type": "boolean", "default": false }
        }
      }
    },
    "set": {
      "title": "Headers to set",
      "type": "array",
      "default": [],
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["header", "value"],
        "properties": {
          "header": { "description": "An X-OTOBO header.", "type": "string", "pattern": "^[Xx]-[Oo][Tt][Oo][Bb][Oo]-." },
          "value": {
            "description": "The value. [***] becomes the last first capture, [** \\name **] a named one, [** \\email **] the address that EMAILADDRESS: matched.",
            "type": "string"
          }
        }
      }
    }
  }
}"#;

/// What the component says of itself.
pub fn description() -> Description {
    Description::new(
        "match",
        env!("CARGO_PKG_VERSION"),
        "Matches headers by regular expressions and sets X-OTOBO headers.",
    )
    .settings_schema(SCHEMA)
    .wants("body")
    .sets("X-OTOBO-*")
}

/// The mistake in a name of a header to be matched, if there is one.
pub fn check_matched(header: &str) -> Option<String> {
    let is_name = !header.is_empty() && header.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b':');
    if is_name {
        None
    } else {
        Some(format!("`{header}` is not the name of a header: write it without colon and blanks."))
    }
}

/// The mistake in a header to be set, if there is one.
pub fn check_set(at: usize, set: &Set) -> Option<Problem> {
    let is_ours =
        set.header.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("X-OTOBO-")) && set.header.len() > 8;
    let reason = if check_matched(&set.header).is_some() || !is_ours {
        format!("`{}` cannot be set: a filter sets X-OTOBO headers only.", set.header)
    } else if COMPUTED.iter().any(|computed| computed.eq_ignore_ascii_case(&set.header)) {
        format!("`{}` cannot be set: Postigo computes it from the mail.", set.header)
    } else {
        return None;
    };
    Some(Problem::new(format!("/set/{at}/header"), reason))
}
