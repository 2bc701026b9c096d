//! A mail on its way through the chain: what was opened, the headers in force, and filters that change them.

use super::address::Address;
use super::content::Attachment;
use super::in_force::{HeadersInForce, InForce, SetBy};
use super::message::Message;
use super::opened::OpenedMessage;
use super::trust::Envelope;
use super::vocabulary::{self, canonical_lower_case};
use postigo_model::ticket::FollowedTicket;
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

/// A mail on its way through the chain. It comes out of the stages of reading alone: parsed, opened, vetted, computed.
#[derive(Debug, Clone)]
pub struct Mail {
    opened: OpenedMessage,
    /// What is known besides its bytes.
    pub envelope: Envelope,
    ticket: Option<FollowedTicket>,
    ticket_read: Flag,
    in_force: HeadersInForce,
    generation: u64,
}

/// Set once, through a shared reference.
#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Clone for Flag {
    fn clone(&self) -> Self {
        Self(AtomicBool::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Mail {
    /// With the headers that are in force before the first filter.
    pub(super) fn of(opened: OpenedMessage, envelope: Envelope, in_force: HeadersInForce) -> Self {
        Self { opened, envelope, ticket: None, ticket_read: Flag::default(), in_force, generation: 0 }
    }

    /// The message as it was received.
    pub fn message(&self) -> &Message {
        self.opened.message()
    }

    /// What was opened: another run of the chain begins with it, so that a mail is opened once.
    pub fn opened(&self) -> &OpenedMessage {
        &self.opened
    }

    /// The ticket that it follows up, by the first follow-up check; remembered as read.
    pub fn ticket(&self) -> Option<&FollowedTicket> {
        self.ticket_read.0.store(true, Ordering::Relaxed);
        self.ticket.as_ref()
    }

    /// Whether a filter has read the ticket: only then what filters did depends on it.
    pub fn ticket_was_read(&self) -> bool {
        self.ticket_read.0.load(Ordering::Relaxed)
    }

    /// Says which ticket it follows up.
    pub fn set_ticket(&mut self, ticket: Option<FollowedTicket>) {
        self.ticket = ticket;
    }

    /// The names of all headers, each once, in order of first appearance; those in force last.
    pub fn header_names(&self) -> Vec<&str> {
        let own = self.message().header_names().filter(|name| matches!(self.find(name), HeaderOrigin::Own(_)));
        own.chain(self.in_force.iter().map(|header| header.name.as_str())).collect()
    }

    /// The value of a header (any case): all occurrences joined by a space; for `X-OTOBO-*` (and its alias `X-OTRS-*`)
    /// the value in force.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self.find(name) {
            HeaderOrigin::InForce(header) => Some(header.value()),
            HeaderOrigin::Own(lower) => self.message().header(&lower),
            HeaderOrigin::Nothing => None,
        }
    }

    /// Every occurrence of a header.
    pub fn headers(&self, name: &str) -> Vec<Cow<'_, str>> {
        match self.find(name) {
            HeaderOrigin::InForce(header) => header.values.iter().map(|value| Cow::Borrowed(value.as_str())).collect(),
            HeaderOrigin::Own(lower) => self.message().headers(&lower).into_iter().map(Cow::Borrowed).collect(),
            HeaderOrigin::Nothing => Vec::new(),
        }
    }

    /// The addresses of a header, of all its occurrences.
    pub fn addresses(&self, name: &str) -> Vec<Address> {
        match self.find(name) {
            HeaderOrigin::InForce(header) => header.values.iter().flat_map(|value| Address::parse_all(value)).collect(),
            HeaderOrigin::Own(lower) => self.message().addresses(&lower).to_vec(),
            HeaderOrigin::Nothing => Vec::new(),
        }
    }

    /// Where a header's value comes from: those of the vocabulary from what is in force alone.
    fn find<'a>(&self, name: &'a str) -> HeaderOrigin<'a, '_> {
        let lower = canonical_lower_case(name);
        match self.in_force.get(&lower) {
            Some(header) => HeaderOrigin::InForce(header),
            None if vocabulary::is_reserved(&lower) => HeaderOrigin::Nothing,
            None => HeaderOrigin::Own(lower),
        }
    }

    /// The body as text with LF line ends; computed once, then kept.
    pub fn text(&self) -> &str {
        self.message().text()
    }

    /// The HTML body, decoded.
    pub fn html(&self) -> Option<&str> {
        self.message().html()
    }

    /// The attachments in their order; computed once, then kept.
    pub fn attachments(&self) -> &[Attachment] {
        self.message().attachments()
    }

    /// The decoded bytes of an attachment.
    pub fn attachment_bytes(&self, index: usize) -> Option<&[u8]> {
        self.message().attachment_bytes(index)
    }

    /// Changes with every change of the mail.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The header in force under this name (any case, `X-OTRS-*` too).
    pub fn in_force(&self, name: &str) -> Option<&InForce> {
        self.in_force.get(name)
    }

    /// All `X-OTOBO-*` headers in force, by name.
    pub fn otobo_headers(&self) -> impl Iterator<Item = &InForce> {
        self.in_force.otobo()
    }

    /// Replaces a header; `values` has one value but for a `multiple` dynamic field. The caller has checked that the
    /// name may be set and spells it canonically ([`may_set`](crate::Vocabulary::may_set)). CR, LF and NUL become a space.
    pub fn set(&mut self, name: &str, values: Vec<String>, by: &SetBy) {
        self.in_force.set(name, values, by);
        self.generation += 1;
    }
}

/// Where a header's value comes from.
enum HeaderOrigin<'n, 'm> {
    /// It is in force.
    InForce(&'m InForce),
    /// The message's own, under this name in lower case, if it has one.
    Own(Cow<'n, str>),
    /// The message's own does not count.
    Nothing,
}

#[cfg(test)]
#[path = "mail_tests.rs"]
mod tests;
