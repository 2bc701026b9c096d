//! The settings: the other systems that send numbers.

use serde::Deserialize;

/// The other systems, tried in this order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub sources: Vec<SourceSettings>,
}

/// One other system.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSettings {
    /// A pattern for the From header: unanchored, in any case of letters.
    pub from: String,
    /// A pattern whose group 1 is the number; case counts.
    pub number: String,
    /// The dynamic field that takes the number.
    pub field: String,
    /// Whether the subject is searched.
    #[serde(default = "yes")]
    pub subject: bool,
    /// Whether the body is searched; a number there wins.
    #[serde(default)]
    pub body: bool,
    /// The sender type of the article; left out: unchanged.
    pub sender_type: Option<SenderType>,
    /// Whether customers see the article; left out: unchanged.
    pub visible_for_customer: Option<bool>,
}

/// Who an article comes from.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SenderType {
    Agent,
    System,
    Customer,
}

impl SenderType {
    /// As the header wants it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::System => "system",
            Self::Customer => "customer",
        }
    }
}

fn yes() -> bool {
    true
}

/// The JSON Schema of the settings.
pub const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["sources"],
  "properties": {
    "sources": {
      "title": "Other systems",
      "description": "Tried in this order; the first that has a number wins.",
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["from", "number", "field"],
        "properties": {
          "from": { "description": "A regular expression found anywhere in the From header, in any case of letters.", "type": "string", "minLength": 1 },
          "number": { "description": "A regular expression whose first group is the number; case counts. Incident-(\\d+)", "type": "string", "minLength": 1 },
          "field": { "description": "The dynamic field that takes the number; the setting external_number_field names it for follow-ups.", "type": "string", "minLength": 1 },
          "subject": { "description": "Search the subject.", "type": "boolean", "default": true },
          "body": { "description": "Search each line of the body; a number found there wins over the subject's.", "type": "boolean", "default": false },
          "sender_type": { "description": "Sender type of the article.", "enum": ["agent", "system", "customer"] },
          "visible_for_customer": { "description": "Whether customers see the article.", "type": "boolean" }
        }
      }
    }
  }
}"#;
