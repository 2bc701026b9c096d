//! Composing: what goes out, as bytes and as the article that it is in its ticket.
//!
//! Automatic answers that filing decided are composed by the daemon's loop ([`run`]); what agents write, pass on or
//! send back is composed when they ask ([`Desk`]). Either way one transaction writes the article and the outgoing mail,
//! and [`crate::outbound`] sends it.

mod addressee;
mod auto_response;
mod body;
mod compose;
mod desk;
mod due;
mod facts;
mod fitting;
mod forward;
mod language;
mod letter;
mod new_ticket;
mod quoting;
mod render;
mod resend;
mod subject;
mod tags;
mod writing;

pub use addressee::Addressee;
pub use compose::AttachedFile;
pub use desk::{Desk, raw};
pub use due::{compose_due, run};
pub use forward::ForwardAs;
pub use new_ticket::NewTicketFields;
pub use writing::{AgentText, DeskError, MOST_BYTES, WritingKind};

use postigo_mail::Address;
use postigo_model::configured::{Configuration, DefineEmailFrom, Queue, SystemAddress};

/// What a queue sends from: its own valid system address with its display name, never another.
fn sender(configuration: &Configuration, queue: &Queue) -> Result<Addressee, String> {
    let address = configuration.sender_of(queue).filter(|address| address.valid.is_valid());
    let address =
        address.ok_or_else(|| format!("The queue \"{}\" has no valid system address to send from.", queue.name))?;
    from_address(address, address.display_name.clone(), queue)
}

fn from_address(address: &SystemAddress, display_name: String, queue: &Queue) -> Result<Addressee, String> {
    Addressee::new(Address { display_name, address: address.address.clone() })
        .map_err(|reason| format!("The queue \"{}\" cannot send: {reason}", queue.name))
}

/// The display name of an agent's mail from an address (OTOBO: `Ticket::DefineEmailFrom`); that of the address where
/// nobody says who writes.
fn display_name(configuration: &Configuration, address: &SystemAddress, agent: Option<&str>) -> String {
    let own = &address.display_name;
    match (configuration.settings.define_email_from, agent.map(str::trim).filter(|agent| !agent.is_empty())) {
        (DefineEmailFrom::SystemAddressName, _) | (_, None) => own.clone(),
        (DefineEmailFrom::AgentNameSystemAddressName, Some(agent)) if !own.is_empty() => format!("{agent} via {own}"),
        (DefineEmailFrom::AgentNameSystemAddressName | DefineEmailFrom::AgentName, Some(agent)) => agent.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agents_mail_is_called_as_the_peer_has_it() {
        let mut configuration = Configuration::default();
        let address = |name: &str| SystemAddress { display_name: name.into(), ..SystemAddress::default() };
        for (form, agent, own, expected) in [
            (DefineEmailFrom::SystemAddressName, Some("anna"), "Support", "Support"),
            (DefineEmailFrom::AgentNameSystemAddressName, Some("anna"), "Support", "anna via Support"),
            (DefineEmailFrom::AgentNameSystemAddressName, Some("anna"), "", "anna"),
            (DefineEmailFrom::AgentNameSystemAddressName, None, "Support", "Support"),
            (DefineEmailFrom::AgentName, Some("anna"), "Support", "anna"),
            (DefineEmailFrom::AgentName, Some(" "), "Support", "Support"),
        ] {
            configuration.settings.define_email_from = form;
            assert_eq!(display_name(&configuration, &address(own), agent), expected, "{form:?} {agent:?} {own}");
        }
    }
}
