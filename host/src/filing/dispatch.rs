//! Into which queue a new ticket goes (OTOBO: `DestQueue`), and what decided it.

use super::header::OccasionReader;
use postigo_mail::{Mail, SetBy};
use postigo_model::configured::{Configuration, Dispatch, SystemAddress};
use postigo_model::mailbox::Mailbox;

/// The headers that are asked for a system address, in this order; the envelope's recipients count as the first
/// Envelope-To.
const RECIPIENTS: [&str; 6] = ["Resent-To", "Envelope-To", "To", "Cc", "Delivered-To", "X-Original-To"];

/// A queue and what decided it: `header`, `filter:NAME`, `account`, `address:ADDR`, `default`.
pub struct QueueChoice {
    /// Name of the queue.
    pub queue: String,
    /// What decided.
    pub by: String,
}

/// The queue of a new ticket. An `X-OTOBO-Queue` that names a queue wins; else the account's, else the first system
/// address, else the default.
pub fn dispatch(configuration: &Configuration, mail: &Mail, reader: &mut OccasionReader<'_>) -> QueueChoice {
    let named = reader.known(
        "Queue",
        "queue",
        |name| configuration.queues.contains_key(name),
        "dispatched as if it were not there",
    );
    if let Some(queue) = named {
        let by = match mail.in_force("X-OTOBO-Queue").map(|header| &header.by) {
            Some(SetBy::Filter(name)) => format!("filter:{name}"),
            _ => "header".to_owned(),
        };
        return QueueChoice { queue, by };
    }
    if let Some(Dispatch::Queue(queue)) =
        configuration.accounts.get(&mail.envelope.account).map(|account| &account.dispatch)
    {
        if configuration.queues.contains_key(queue) {
            return QueueChoice { queue: queue.clone(), by: "account".to_owned() };
        }
        reader.warn(format!("account {:?} dispatches to queue {queue:?}, which does not exist", mail.envelope.account));
    }
    match first_system_address(configuration, mail) {
        Some(address) => QueueChoice { queue: address.queue.clone(), by: format!("address:{}", address.address) },
        None => QueueChoice { queue: configuration.settings.default_queue.clone(), by: "default".to_owned() },
    }
}

/// The first valid system address among the recipients, from left to right.
fn first_system_address<'a>(configuration: &'a Configuration, mail: &Mail) -> Option<&'a SystemAddress> {
    if configuration.system_addresses.is_empty() {
        return None;
    }
    let find = |mailbox: &Mailbox| {
        let found = configuration.system_addresses.get(mailbox.as_str())?;
        (found.valid.is_valid() && configuration.queues.contains_key(&found.queue)).then_some(found)
    };
    // A listener takes support+x@ for support@.
    let delivered = |recipient: &String| {
        let mailbox = Mailbox::of(recipient);
        find(&mailbox).or_else(|| find(&mailbox.without_detail()?))
    };
    RECIPIENTS.iter().find_map(|header| {
        let envelope =
            (*header == "Envelope-To").then(|| mail.envelope.recipients.iter().find_map(delivered)).flatten();
        envelope.or_else(|| mail.addresses(header).iter().find_map(|recipient| find(&Mailbox::of(&recipient.address))))
    })
}
