//! The settings: which headers each kind sets.

use crate::kind::Kind;
use postigo_filter::Problem;
use serde::Deserialize;

/// The headers that each kind sets; a kind with an empty list is let through.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub bounce: Vec<Header>,
    pub delivery_report: Vec<Header>,
    pub automatic_reply: Vec<Header>,
    pub automatic_message: Vec<Header>,
    pub mailing_list: Vec<Header>,
    /// Further beginnings of subjects that tell an automatic reply.
    pub phrases: Vec<String>,
}

/// A header to be set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub header: String,
    pub value: String,
}

impl Default for Settings {
    fn default() -> Self {
        let set = |header: &str, value: &str| Header { header: header.to_owned(), value: value.to_owned() };
        let no_reply = || vec![set("X-OTOBO-Loop", "yes")];
        Self {
            bounce: no_reply(),
            delivery_report: vec![set("X-OTOBO-Loop", "yes"), set("X-OTOBO-FollowUp-State-Keep", "1")],
            automatic_reply: vec![set("X-OTOBO-Loop", "yes"), set("X-OTOBO-FollowUp-State-Keep", "1")],
            automatic_message: no_reply(),
            mailing_list: no_reply(),
            phrases: Vec::new(),
        }
    }
}

impl Settings {
    /// The headers of a kind.
    pub fn headers(&self, kind: Kind) -> &[Header] {
        match kind {
            Kind::Bounce => &self.bounce,
            Kind::DeliveryReport => &self.delivery_report,
            Kind::AutomaticReply => &self.automatic_reply,
            Kind::AutomaticMessage => &self.automatic_message,
            Kind::MailingList => &self.mailing_list,
        }
    }

    /// Every header that cannot be set, and every empty phrase.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, kind, _) in KINDS {
            for (at, one) in self.headers(kind).iter().enumerate() {
                if !one.header.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("X-OTOBO-")) {
                    let reason = format!("`{}` cannot be set: a filter sets X-OTOBO headers only.", one.header);
                    problems.push(Problem::new(format!("/{key}/{at}/header"), reason));
                }
            }
        }
        for (at, phrase) in self.phrases.iter().enumerate() {
            if phrase.trim().is_empty() {
                problems.push(Problem::new(
                    format!("/phrases/{at}"),
                    "An empty phrase would take every mail for an automatic reply.",
                ));
            }
        }
        problems
    }
}

/// The key of each kind, and what the admin is told of it.
const KINDS: [(&str, Kind, &str); 5] = [
    ("bounce", Kind::Bounce, "A mail of ours could not be delivered (RFC 3464)."),
    ("delivery_report", Kind::DeliveryReport, "A mail of ours was delayed, delivered or read (RFC 3464, RFC 8098)."),
    ("automatic_reply", Kind::AutomaticReply, "Out-of-office notices and other automatic replies (RFC 3834)."),
    ("automatic_message", Kind::AutomaticMessage, "Mails that a program sent unasked (RFC 3834)."),
    ("mailing_list", Kind::MailingList, "Mails that came by a mailing list (RFC 2919, RFC 2369)."),
];

/// The JSON Schema of the settings.
pub fn schema() -> String {
    let kinds = KINDS.map(|(key, _, about)| {
        format!(
            r##""{key}": {{ "description": "Headers to set. {about} An empty list lets such mails through.", "$ref": "#/$defs/headers" }}"##
        )
    });
    format!(
        r#"{{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {{
    {},
    "phrases": {{
      "description": "Further beginnings of subjects that tell an automatic reply, in any case of letters.",
      "type": "array",
      "items": {{ "type": "string", "minLength": 1 }}
    }}
  }},
  "$defs": {{
    "headers": {{
      "type": "array",
      "items": {{
        "type": "object",
        "additionalProperties": false,
        "required": ["header", "value"],
        "properties": {{ "header": {{ "type": "string" }}, "value": {{ "type": "string" }} }}
      }}
    }}
  }}
}}"#,
        kinds.join(",\n    ")
    )
}
