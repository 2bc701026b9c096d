//! What differs between a ticket as it was and as it is.

use super::Ticket;

/// A field of a ticket that has another value than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDifference {
    /// As a ticket is shown: `queue`, `state`, `merged_into`.
    pub field: &'static str,
    /// The value before; none: there was none.
    pub earlier: Option<String>,
    /// The value since; none: there is none.
    pub later: Option<String>,
}

impl Ticket {
    /// The fields in which `later` is otherwise than this one; dynamic fields and times are left out.
    pub fn differences(&self, later: &Self) -> Vec<FieldDifference> {
        let fields = |ticket: &Self| {
            [
                ("queue", Some(ticket.queue.clone())),
                ("state", Some(ticket.state.clone())),
                ("priority", Some(ticket.priority.clone())),
                ("type", Some(ticket.r#type.clone())),
                ("service", ticket.service.clone()),
                ("sla", ticket.sla.clone()),
                ("lock", Some(ticket.lock.clone())),
                ("owner", ticket.owner.clone()),
                ("responsible", ticket.responsible.clone()),
                ("merged_into", ticket.merged_into.clone()),
            ]
        };
        let pairs = fields(self).into_iter().zip(fields(later));
        pairs
            .filter(|((_, earlier), (_, later))| earlier != later)
            .map(|((field, earlier), (_, later))| FieldDifference { field, earlier, later })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_that_has_another_value_is_told_with_both() {
        let before = Ticket { queue: "Raw".into(), owner: Some("anna".into()), ..Ticket::default() };
        let after = Ticket { queue: "Billing".into(), changed_at: 5, ..Ticket::default() };
        let told: Vec<_> =
            before.differences(&after).into_iter().map(|one| (one.field, one.earlier, one.later)).collect();
        assert_eq!(told, [("queue", Some("Raw".into()), Some("Billing".into())), ("owner", Some("anna".into()), None)]);
        assert_eq!(after.differences(&after), []);
    }
}
