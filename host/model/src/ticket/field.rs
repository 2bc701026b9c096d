//! Fields of a ticket that a header sets, and that a classifier's question may be about.

use super::{PRIORITIES, Ticket, states};
use crate::configured::Configuration;

/// A field of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TicketField {
    /// `X-OTOBO-Queue`
    Queue,
    /// `X-OTOBO-State`
    State,
    /// `X-OTOBO-Priority`
    Priority,
    /// `X-OTOBO-Type`
    Type,
    /// `X-OTOBO-Service`
    Service,
    /// `X-OTOBO-SLA`
    Sla,
    /// `X-OTOBO-Owner`
    Owner,
    /// `X-OTOBO-Responsible`
    Responsible,
    /// `X-OTOBO-DynamicField-NAME`: the name.
    Dynamic(String),
}

const PREFIX: &str = "X-OTOBO-";
const DYNAMIC: &str = "DynamicField-";

impl TicketField {
    /// Those that a header names by one word.
    const NAMED: [(&str, Self); 8] = [
        ("Queue", Self::Queue),
        ("State", Self::State),
        ("Priority", Self::Priority),
        ("Type", Self::Type),
        ("Service", Self::Service),
        ("SLA", Self::Sla),
        ("Owner", Self::Owner),
        ("Responsible", Self::Responsible),
    ];

    /// The field that a header of new tickets sets, case ignored but for a dynamic field's name; none where it sets none.
    pub fn of_header(header: &str) -> Option<Self> {
        let (prefix, word) = header.split_at_checked(PREFIX.len())?;
        if !prefix.eq_ignore_ascii_case(PREFIX) {
            return None;
        }
        if let Some((prefix, name)) = word.split_at_checked(DYNAMIC.len())
            && prefix.eq_ignore_ascii_case(DYNAMIC)
            && !name.is_empty()
        {
            return Some(Self::Dynamic(name.to_owned()));
        }
        Self::NAMED.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, field)| field)
    }

    /// The header that sets it.
    pub fn header(&self) -> String {
        match self {
            Self::Dynamic(name) => format!("{PREFIX}{DYNAMIC}{name}"),
            named => {
                let found = Self::NAMED.iter().find(|(_, field)| field == named);
                format!("{PREFIX}{}", found.map_or("", |(word, _)| word))
            }
        }
    }

    /// What it is called where a ticket is shown, and where its changes are noted.
    pub fn shown_as(&self) -> &str {
        match self {
            Self::Queue => "queue",
            Self::State => "state",
            Self::Priority => "priority",
            Self::Type => "type",
            Self::Service => "service",
            Self::Sla => "sla",
            Self::Owner => "owner",
            Self::Responsible => "responsible",
            Self::Dynamic(name) => name,
        }
    }

    /// What a ticket has there; of several values of a dynamic field the first. None where it has nothing.
    pub fn value<'t>(&self, ticket: &'t Ticket) -> Option<&'t str> {
        let value = match self {
            Self::Queue => Some(ticket.queue.as_str()),
            Self::State => Some(ticket.state.as_str()),
            Self::Priority => Some(ticket.priority.as_str()),
            Self::Type => Some(ticket.r#type.as_str()),
            Self::Service => ticket.service.as_deref(),
            Self::Sla => ticket.sla.as_deref(),
            Self::Owner => ticket.owner.as_deref(),
            Self::Responsible => ticket.responsible.as_deref(),
            Self::Dynamic(name) => {
                ticket.dynamic_fields.get(name).and_then(|values| values.first()).map(String::as_str)
            }
        };
        value.filter(|value| !value.is_empty())
    }

    /// The values that there are, those of valid things; none of a dynamic field, which takes any text, or where there
    /// is no such field (then nothing leads there).
    pub fn values(&self, configuration: &Configuration) -> Option<Vec<String>> {
        let settings = &configuration.settings;
        match self {
            Self::Queue => {
                let valid = configuration.queues.values().filter(|queue| queue.valid.is_valid());
                Some(valid.map(|queue| queue.name.clone()).collect())
            }
            Self::State => Some(states().map(str::to_owned).collect()),
            Self::Priority => Some(PRIORITIES.into_iter().map(str::to_owned).collect()),
            Self::Type => Some(settings.types.clone()),
            Self::Service => Some(settings.services.clone()),
            Self::Sla => Some(settings.slas.clone()),
            Self::Owner | Self::Responsible => Some(settings.agents.clone()),
            Self::Dynamic(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_new_tickets_names_its_field_and_others_name_none() {
        for (header, field) in [
            ("X-OTOBO-Queue", TicketField::Queue),
            ("x-otobo-sla", TicketField::Sla),
            ("X-OTOBO-DynamicField-Product", TicketField::Dynamic("Product".into())),
        ] {
            assert_eq!(TicketField::of_header(header), Some(field.clone()));
            assert!(field.header().eq_ignore_ascii_case(header));
        }
        for other in ["X-OTOBO-FollowUp-Queue", "X-OTOBO-DynamicField-", "X-OTOBO-", "Subject", "", "X-OTOBO-Ignoré"] {
            assert_eq!(TicketField::of_header(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_empty_or_missing_is_no_value() {
        let mut ticket = Ticket { queue: "Raw".into(), ..Ticket::default() };
        ticket.dynamic_fields.insert("Product".into(), vec!["Lamp".into(), "Desk".into()]);
        assert_eq!(TicketField::Queue.value(&ticket), Some("Raw"));
        assert_eq!(TicketField::Priority.value(&ticket), None);
        assert_eq!(TicketField::Service.value(&ticket), None);
        assert_eq!(TicketField::Dynamic("Product".into()).value(&ticket), Some("Lamp"));
    }
}
