//! Reads the `X-OTOBO-*` headers of one occasion, new ticket or follow-up, and collects what is wrong with their
//! values.

use super::pending;
use postigo_mail::{Mail, dynamic_field_of};
use postigo_model::configured::Configuration;
use postigo_model::ticket::SenderType;
use std::collections::BTreeMap;

/// Reads the headers of an occasion.
pub struct OccasionReader<'a> {
    mail: &'a Mail,
    follow_up: bool,
    warnings: Vec<String>,
}

/// Dynamic fields by name, with their values.
pub type Fields = BTreeMap<String, Vec<String>>;

impl<'a> OccasionReader<'a> {
    /// Of new tickets (`X-OTOBO-…`), or of follow-ups (`X-OTOBO-FollowUp-…`).
    pub fn new(mail: &'a Mail, follow_up: bool) -> Self {
        Self { mail, follow_up, warnings: Vec::new() }
    }

    /// The warnings so far, and what of the mail was not read.
    pub fn into_warnings(self) -> Vec<String> {
        let mut warnings = self.warnings;
        warnings.extend(self.mail.message().cuts());
        warnings
    }

    /// Adds a warning.
    pub fn warn(&mut self, sentence: String) {
        self.warnings.push(sentence);
    }

    fn name(&self, suffix: &str) -> String {
        if self.follow_up { format!("X-OTOBO-FollowUp-{suffix}") } else { format!("X-OTOBO-{suffix}") }
    }

    /// A header's value, unless it is empty.
    pub fn value(&self, suffix: &str) -> Option<&'a str> {
        self.mail.header(&self.name(suffix)).filter(|value| !value.is_empty())
    }

    /// A header's value if it names something that exists; else a warning that says what happens instead.
    pub fn known(
        &mut self,
        suffix: &str,
        what: &str,
        exists: impl FnOnce(&str) -> bool,
        instead: &str,
    ) -> Option<String> {
        let value = self.value(suffix)?;
        if exists(value) {
            return Some(value.to_owned());
        }
        let name = self.name(suffix);
        self.warn(format!("{name}: there is no {what} {:?}; {instead}", shortened(value)));
        None
    }

    /// The pending time, as milliseconds since the epoch.
    pub fn pending_until(&mut self, now: i64) -> Option<i64> {
        let value = self.value("State-PendingTime")?;
        let until = pending::until(value, now);
        if until.is_none() {
            let name = self.name("State-PendingTime");
            self.warn(format!(
                "{name}: {:?} is no time such as \"+2d\" or \"2026-11-24 08:30\"; none is set",
                shortened(value)
            ));
        }
        until
    }

    /// Who wrote the article.
    pub fn sender_type(&mut self) -> SenderType {
        let known = self.known(
            "SenderType",
            "sender type",
            |value| SenderType::named(value).is_some(),
            "\"customer\" is used instead",
        );
        known.as_deref().and_then(SenderType::named).unwrap_or_default()
    }

    /// Whether customers see the article.
    pub fn visible_for_customer(&mut self) -> bool {
        let known =
            self.known("IsVisibleForCustomer", "visibility", |value| matches!(value, "0" | "1"), "customers see it");
        known.as_deref() != Some("0")
    }

    /// The dynamic fields of ticket and article.
    pub fn dynamic_fields(&mut self, configuration: &Configuration) -> (Fields, Fields) {
        let (mut ticket, mut article) = (Fields::new(), Fields::new());
        for header in self.mail.otobo_headers() {
            let suffix = header.name.get("X-OTOBO-".len()..).unwrap_or_default();
            let suffix = match (suffix.strip_prefix("FollowUp-"), self.follow_up) {
                (Some(suffix), true) => suffix,
                (None, false) => suffix,
                _ => continue,
            };
            let Some((wanted, of_article)) = dynamic_field_of(suffix) else { continue };
            let values: Vec<String> = header.values.iter().filter(|value| !value.is_empty()).cloned().collect();
            if values.is_empty() {
                continue;
            }
            let Some(field) =
                configuration.dynamic_fields.values().find(|field| field.name.eq_ignore_ascii_case(&wanted))
            else {
                let value = shortened(header.value());
                self.warnings
                    .push(format!("{}: there is no dynamic field {wanted:?}; {value:?} is not kept", header.name));
                continue;
            };
            if of_article { &mut article } else { &mut ticket }.insert(field.name.clone(), values);
        }
        (ticket, article)
    }
}

/// A value as warnings show it.
fn shortened(value: &str) -> String {
    let mut short: String = value.chars().take(100).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    short
}
