//! Which values of `X-OTOBO-*` headers mean something here: those of headers that name what is configured, or one of a
//! few words.

use super::header_name::{PREFIX, dynamic_field_of};
use postigo_model::configured::Configuration;
use postigo_model::ticket::{LOCKS, PRIORITIES, SenderType, StateType};
use std::collections::BTreeSet;

/// What may be named in headers, with what is in use alone.
#[derive(Debug, Clone, Default)]
pub struct HeaderValues {
    queues: BTreeSet<String>,
    types: BTreeSet<String>,
    services: BTreeSet<String>,
    slas: BTreeSet<String>,
    agents: BTreeSet<String>,
    /// In small letters.
    dynamic_fields: BTreeSet<String>,
}

impl HeaderValues {
    /// As it is configured.
    pub fn of(configuration: &Configuration) -> Self {
        let set = |names: &[String]| names.iter().cloned().collect();
        let settings = &configuration.settings;
        let queues = configuration.queues.values().filter(|queue| queue.valid.is_valid());
        let fields = configuration.dynamic_fields.values();
        Self {
            queues: queues.map(|queue| queue.name.clone()).collect(),
            types: set(&settings.types),
            services: set(&settings.services),
            slas: set(&settings.slas),
            agents: set(&settings.agents),
            dynamic_fields: fields.map(|field| field.name.to_ascii_lowercase()).collect(),
        }
    }

    /// Why this value of this header, in its canonical spelling, leads nowhere, a clause: `there is no queue "Sales" in
    /// use`. None where it means something, or the header takes any text.
    pub fn why_nowhere(&self, header: &str, value: &str) -> Option<String> {
        let suffix = header.strip_prefix(PREFIX)?;
        let suffix = suffix.strip_prefix("FollowUp-").unwrap_or(suffix);
        if let Some((field, _)) = dynamic_field_of(suffix) {
            let exists = self.dynamic_fields.contains(&field.to_ascii_lowercase());
            return (!exists).then(|| format!("there is no dynamic field {field:?}"));
        }
        let (what, exists) = match suffix {
            "Queue" => ("queue", self.queues.contains(value)),
            "State" => ("state", StateType::of(value).is_some()),
            "Priority" => ("priority", PRIORITIES.contains(&value)),
            "Type" => ("type", self.types.contains(value)),
            "Service" => ("service", self.services.contains(value)),
            "SLA" => ("SLA", self.slas.contains(value)),
            "Lock" => ("lock", LOCKS.contains(&value)),
            "Owner" | "Responsible" => ("agent", self.agents.contains(value)),
            "SenderType" => ("sender type", SenderType::named(value).is_some()),
            "IsVisibleForCustomer" => ("visibility", matches!(value, "0" | "1")),
            _ => return None,
        };
        (!exists).then(|| format!("there is no {what} {value:?} in use"))
    }
}

/// Whether this value of this header, in its canonical spelling, ends a mail's way or its ticket's: it is ignored,
/// nobody is answered, the ticket is done or will be by itself, or stays so.
pub fn is_final(header: &str, value: &str) -> bool {
    let Some(suffix) = header.strip_prefix(PREFIX) else { return false };
    match suffix {
        "Ignore" | "Loop" | "FollowUp-State-Keep" => true,
        "State" | "FollowUp-State" => StateType::of(value)
            .is_some_and(|state| state.is_done() || matches!(state, StateType::PendingAuto | StateType::Merged)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::{DynamicField, Queue, Settings, Validity};

    fn values() -> HeaderValues {
        let queue = |name: &str, valid| (name.to_owned(), Queue { name: name.into(), valid, ..Queue::default() });
        let field = DynamicField { name: "Contract".into(), multiple: false };
        HeaderValues::of(&Configuration {
            settings: Settings { services: vec!["Mail".into()], agents: vec!["jane".into()], ..Settings::default() },
            queues: [queue("Raw", Validity::Valid), queue("Old", Validity::Invalid)].into(),
            dynamic_fields: [(field.name.clone(), field)].into(),
            ..Configuration::default()
        })
    }

    #[test]
    fn a_value_leads_somewhere_if_what_it_names_is_in_use() {
        for (header, value) in [
            ("X-OTOBO-Queue", "Raw"),
            ("X-OTOBO-FollowUp-Queue", "Raw"),
            ("X-OTOBO-State", "closed successful"),
            ("X-OTOBO-Priority", "4 high"),
            ("X-OTOBO-Service", "Mail"),
            ("X-OTOBO-FollowUp-Owner", "jane"),
            ("X-OTOBO-DynamicField-contract", "any text"),
            ("X-OTOBO-Title", "any text"),
            ("X-OTOBO-My-Mark", "for a later filter"),
        ] {
            assert_eq!(values().why_nowhere(header, value), None, "{header}: {value}");
        }
        for (header, value) in [
            ("X-OTOBO-Queue", "Old"),
            ("X-OTOBO-Queue", "raw"),
            ("X-OTOBO-FollowUp-Queue", "Sales"),
            ("X-OTOBO-State", "shut"),
            ("X-OTOBO-Priority", "high"),
            ("X-OTOBO-SLA", "Gold"),
            ("X-OTOBO-DynamicField-Color", "red"),
            ("X-OTOBO-TicketKey1", "red"),
        ] {
            assert!(values().why_nowhere(header, value).is_some(), "{header}: {value}");
        }
    }

    #[test]
    fn what_ends_a_way_is_known_in_every_form() {
        for (header, value) in [
            ("X-OTOBO-Ignore", "yes"),
            ("X-OTOBO-Ignore", "anything"),
            ("X-OTOBO-Loop", "no"),
            ("X-OTOBO-State", "closed successful"),
            ("X-OTOBO-State", "pending auto close+"),
            ("X-OTOBO-State", "removed"),
            ("X-OTOBO-FollowUp-State", "merged"),
            ("X-OTOBO-FollowUp-State-Keep", "1"),
        ] {
            assert!(is_final(header, value), "{header}: {value}");
        }
        for (header, value) in
            [("X-OTOBO-State", "open"), ("X-OTOBO-State", "pending reminder"), ("X-OTOBO-Queue", "closed successful")]
        {
            assert!(!is_final(header, value), "{header}: {value}");
        }
    }
}
