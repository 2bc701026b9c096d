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
use postigo_model::configured::{Configuration, Queue};

/// What a queue sends from: its own valid system address with its display name, never another.
fn sender(configuration: &Configuration, queue: &Queue) -> Result<Addressee, String> {
    let address = configuration.sender_of(queue).filter(|address| address.valid.is_valid());
    let address =
        address.ok_or_else(|| format!("The queue \"{}\" has no valid system address to send from.", queue.name))?;
    Addressee::new(Address { display_name: address.display_name.clone(), address: address.address.clone() })
        .map_err(|reason| format!("The queue \"{}\" cannot send: {reason}", queue.name))
}
