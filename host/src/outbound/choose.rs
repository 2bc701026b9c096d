//! Which transport sends a mail.

use postigo_model::configured::{Configuration, Transport};
use postigo_model::mailbox::Mailbox;

/// The valid transport that names the sender's address, else the one that names the queue, else the first that names
/// nothing, else the first; by name.
pub fn choose<'c>(configuration: &'c Configuration, sender: &str, queue: &str) -> Option<&'c Transport> {
    // What goes out with the null sender goes the way of its queue's address.
    let own = || configuration.sender_of(configuration.queues.get(queue)?);
    let sender = Mailbox::of(if sender.is_empty() { own().map_or("", |own| own.address.as_str()) } else { sender });
    let valid = || configuration.transports.values().filter(|transport| transport.valid.is_valid());
    valid()
        .find(|transport| sender.domain().is_some() && transport.senders.iter().any(|name| Mailbox::of(name) == sender))
        .or_else(|| valid().find(|transport| !queue.is_empty() && transport.senders.iter().any(|name| name == queue)))
        .or_else(|| valid().find(|transport| transport.senders.is_empty()))
        .or_else(|| valid().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_model::configured::Validity;

    #[test]
    fn sender_goes_before_queue_and_queue_before_the_rest() {
        let mut configuration = Configuration::default();
        for (name, senders, valid) in [
            ("a", vec!["off@desk.example"], Validity::Invalid),
            ("b", vec!["Support"], Validity::Valid),
            ("c", vec!["support@desk.example"], Validity::Valid),
            ("d", vec![], Validity::Valid),
        ] {
            let senders = senders.into_iter().map(str::to_owned).collect();
            let transport = Transport { name: name.into(), senders, valid, ..Transport::default() };
            configuration.transports.insert(name.into(), transport);
        }
        for (sender, queue, expected) in [
            ("Support@Desk.example", "Support", "c"),
            ("other@desk.example", "Support", "b"),
            ("other@desk.example", "Junk", "d"),
            ("", "Support", "b"),
            ("", "", "d"),
            ("off@desk.example", "", "d"),
        ] {
            let chosen = choose(&configuration, sender, queue).map(|transport| transport.name.as_str());
            assert_eq!(chosen, Some(expected), "{sender} {queue}");
        }
        configuration.transports.remove("d");
        assert_eq!(choose(&configuration, "x@y.example", "Junk").map(|transport| transport.name.as_str()), Some("b"));
        assert!(choose(&Configuration::default(), "a@b.example", "Raw").is_none());
    }
}
