//! The `X-OTOBO-*` headers: their canonical spellings, which of them the host computes, and which a mail or a filter
//! may set.

use super::header_name::{ALIAS, FREE_FIELDS, PREFIX};
use super::header_values::HeaderValues;
use postigo_model::configured::{Configuration, DynamicField};
use std::borrow::Cow;
use std::collections::HashMap;
use thiserror::Error;

/// The host sets these, always; neither a mail nor a filter does.
pub const ATTACHMENT_EXISTS: &str = "X-OTOBO-AttachmentExists";
/// How many attachments there are.
pub const ATTACHMENT_COUNT: &str = "X-OTOBO-AttachmentCount";
/// `1` for a delivery report that names the mail it is about.
pub const BOUNCE: &str = "X-OTOBO-Bounce";
/// The Message-ID of the mail that a delivery report is about.
pub const BOUNCE_ORIGINAL: &str = "X-OTOBO-Bounce-OriginalMessageID";
/// What a delivery report says.
pub const BOUNCE_ERROR: &str = "X-OTOBO-Bounce-ErrorMessage";
/// Whether the body came encrypted and was decrypted.
pub const BODY_DECRYPTED: &str = "X-OTOBO-BodyDecrypted";
/// `yes` where an automatic answer would feed a loop.
pub const LOOP: &str = "X-OTOBO-Loop";

const COMPUTED: [&str; 6] =
    [ATTACHMENT_EXISTS, ATTACHMENT_COUNT, BOUNCE, BOUNCE_ORIGINAL, BOUNCE_ERROR, BODY_DECRYPTED];

/// Headers without a twin for follow-ups.
const SINGLE: [&str; 5] = ["CustomerNo", "CustomerUser", "Ignore", "Loop", "FollowUp-State-Keep"];

/// Headers that come twice: plain for new tickets, with `FollowUp-` for follow-ups.
const TWIN: [&str; 15] = [
    "Queue",
    "State",
    "State-PendingTime",
    "Priority",
    "Type",
    "Service",
    "SLA",
    "Lock",
    "Owner",
    "OwnerID",
    "Responsible",
    "ResponsibleID",
    "Title",
    "SenderType",
    "IsVisibleForCustomer",
];

/// A header that may be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settable {
    /// Its canonical spelling.
    pub name: String,
    /// Whether it takes several values: a `multiple` dynamic field.
    pub multiple: bool,
}

/// Why a header may not be set.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotSettable {
    /// Not one of the vocabulary.
    #[error("{0:?} can't be set: only X-OTOBO-* headers can")]
    NotOtobo(String),
    /// The host's own.
    #[error("{0} can't be set: Postigo computes it")]
    Computed(&'static str),
    /// Not the name of a header.
    #[error("{0:?} is no header name: letters, digits, `-` and `_`, at most 200")]
    NoName(String),
}

/// A header of the vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
struct VocabularyHeader {
    name: String,
    multiple: bool,
}

/// The headers that exist here, OTOBO's and one for each dynamic field, and which of their values mean something.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    by_lower_case: HashMap<String, VocabularyHeader>,
    values: HeaderValues,
}

impl Vocabulary {
    /// The vocabulary of what is configured.
    pub fn of(configuration: &Configuration) -> Self {
        let fields: Vec<DynamicField> = configuration.dynamic_fields.values().cloned().collect();
        Self { values: HeaderValues::of(configuration), ..Self::new(&fields) }
    }

    /// Why a value of a header, in its canonical spelling, leads nowhere, a clause.
    pub fn why_nowhere(&self, header: &str, value: &str) -> Option<String> {
        self.values.why_nowhere(header, value)
    }

    /// The headers with these dynamic fields, without what values may name.
    pub fn new(dynamic_fields: &[DynamicField]) -> Self {
        let multiple =
            |name: &str| dynamic_fields.iter().any(|field| field.multiple && field.name.eq_ignore_ascii_case(name));
        let mut vocabulary = Self::default();
        for name in SINGLE.into_iter().chain(TWIN) {
            vocabulary.add(name, false);
        }
        for name in TWIN {
            vocabulary.add(&format!("FollowUp-{name}"), false);
        }
        for (header, field, count) in FREE_FIELDS {
            for number in 1..=count {
                let several = multiple(&format!("{field}{number}"));
                vocabulary.add(&format!("{header}{number}"), several);
                vocabulary.add(&format!("FollowUp-{header}{number}"), several);
            }
        }
        for field in dynamic_fields {
            vocabulary.add(&format!("DynamicField-{}", field.name), field.multiple);
            vocabulary.add(&format!("FollowUp-DynamicField-{}", field.name), field.multiple);
        }
        vocabulary
    }

    fn add(&mut self, suffix: &str, multiple: bool) {
        let name = format!("{PREFIX}{suffix}");
        self.by_lower_case.entry(name.to_ascii_lowercase()).or_insert(VocabularyHeader { name, multiple });
    }

    /// Whether a filter may set this header (any case), and how it is then spelled. A name that means nothing here may
    /// be set all the same: later filters see it.
    pub fn may_set(&self, name: &str) -> Result<Settable, NotSettable> {
        if !begins_with(name, PREFIX) {
            return Err(NotSettable::NotOtobo(name.chars().take(200).collect()));
        }
        let suffix = name.get(PREFIX.len()..).unwrap_or_default();
        let proper = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if suffix.is_empty() || name.len() > 200 || !suffix.bytes().all(proper) {
            return Err(NotSettable::NoName(name.chars().take(200).collect()));
        }
        if let Some(computed) = COMPUTED.into_iter().find(|computed| computed.eq_ignore_ascii_case(name)) {
            return Err(NotSettable::Computed(computed));
        }
        Ok(self.read(name).unwrap_or_else(|| Settable { name: format!("{PREFIX}{suffix}"), multiple: false }))
    }

    /// The header that a trusted mail means by this name (any case, `X-OTRS-*` too); none where it has no meaning here
    /// or is the host's.
    pub fn read(&self, name: &str) -> Option<Settable> {
        let known = self.by_lower_case.get(canonical_lower_case(name).as_ref())?;
        Some(Settable { name: known.name.clone(), multiple: known.multiple })
    }
}

/// Whether a header belongs to the vocabulary, under either spelling, whatever follows: such headers of untrusted mails
/// are dropped.
pub fn is_reserved(name: &str) -> bool {
    begins_with(name, "X-OTOBO") || begins_with(name, "X-OTRS")
}

/// The name in lower case, with the alias replaced.
pub fn canonical_lower_case(name: &str) -> Cow<'_, str> {
    if let Some(suffix) = name.get(ALIAS.len()..).filter(|_| begins_with(name, ALIAS)) {
        return Cow::Owned(format!("x-otobo-{}", suffix.to_ascii_lowercase()));
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

fn begins_with(name: &str, prefix: &str) -> bool {
    name.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary() -> Vocabulary {
        Vocabulary::new(&[
            DynamicField { name: "Contract".into(), multiple: false },
            DynamicField { name: "Product".into(), multiple: true },
            DynamicField { name: "TicketFreeText3".into(), multiple: true },
        ])
    }

    #[test]
    fn names_are_spelled_canonically() {
        for (given, canonical) in [
            ("x-otobo-queue", "X-OTOBO-Queue"),
            ("X-OTOBO-FOLLOWUP-STATE-PENDINGTIME", "X-OTOBO-FollowUp-State-PendingTime"),
            ("x-otobo-dynamicfield-contract", "X-OTOBO-DynamicField-Contract"),
            ("X-OTOBO-ticketkey16", "X-OTOBO-TicketKey16"),
            ("x-otobo-isvisibleforcustomer", "X-OTOBO-IsVisibleForCustomer"),
            ("x-otobo-My-Mark", "X-OTOBO-My-Mark"),
        ] {
            assert_eq!(vocabulary().may_set(given).unwrap().name, canonical);
        }
    }

    #[test]
    fn a_field_that_takes_several_values_does_so_under_its_old_name_too() {
        assert!(vocabulary().may_set("X-OTOBO-DynamicField-Product").unwrap().multiple);
        assert!(vocabulary().may_set("X-OTOBO-FollowUp-TicketValue3").unwrap().multiple);
        assert!(!vocabulary().may_set("X-OTOBO-DynamicField-Contract").unwrap().multiple);
    }

    #[test]
    fn what_is_not_the_filters_to_set_is_refused() {
        for computed in COMPUTED {
            assert_eq!(vocabulary().may_set(&computed.to_ascii_uppercase()), Err(NotSettable::Computed(computed)));
            assert_eq!(vocabulary().read(computed), None);
        }
        for name in ["Subject", "X-OTRS-Queue", "X-OTOB", "", "é"] {
            assert!(matches!(vocabulary().may_set(name), Err(NotSettable::NotOtobo(_))), "{name}");
        }
        for name in ["X-OTOBO-", "X-OTOBO-Queue\r\nBcc", "X-OTOBO-A B", "X-OTOBO-Ü", "X-OTOBO-A:"] {
            assert!(matches!(vocabulary().may_set(name), Err(NotSettable::NoName(_))), "{name}");
        }
    }

    #[test]
    fn a_mail_is_read_under_either_spelling() {
        assert_eq!(vocabulary().read("x-otrs-queue").unwrap().name, "X-OTOBO-Queue");
        assert_eq!(vocabulary().read("X-OTOBO-DynamicField-Unknown"), None);
        assert_eq!(vocabulary().read("X-OTOBO-My-Mark"), None);
    }
}
