//! The stages of reading a mail, before the chain: parsed, opened, vetted, computed. What is opened here serves every
//! later run of the chain.

use super::LiveConfiguration;
use crate::filing::follow_up_search;
use bytes::Bytes;
use postigo_mail::{DroppedHeader, Envelope, Mail, Message, OpenedMessage};
use postigo_model::spool::ClaimedMessage;
use postigo_model::ticket::FollowUpSearch;

/// A mail that was read, before the chain.
pub struct ReadMessage {
    /// The mail as the first filter is to see it.
    pub mail: Mail,
    /// The mail's own headers that take no effect.
    pub dropped: Vec<DroppedHeader>,
    /// What the first follow-up check looks for.
    pub search: FollowUpSearch,
}

/// The envelope of a claimed message: whether its account is trusted is asked of the configuration in force, whenever
/// the message is read.
pub fn envelope(claimed: &ClaimedMessage, setup: &LiveConfiguration) -> Envelope {
    Envelope {
        account: claimed.account.clone(),
        trusted: setup.configuration.accounts.get(&claimed.account).is_some_and(|account| account.trusted),
        received_at: claimed.received_at,
        recipients: claimed.recipients.clone(),
    }
}

/// Parses received bytes and opens what is protected in them: nothing yet.
pub fn open(raw: Bytes) -> OpenedMessage {
    OpenedMessage::as_it_came(Message::parse(raw))
}

/// Reads an opened message as the configuration says.
pub fn read(opened: OpenedMessage, envelope: Envelope, setup: &LiveConfiguration) -> ReadMessage {
    let (vetted, dropped) = opened.vet(envelope, &setup.vocabulary);
    let mail = vetted.compute();
    let search = follow_up_search(&mail, &setup.configuration);
    ReadMessage { mail, dropped, search }
}
