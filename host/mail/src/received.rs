//! A mail on its way through the chain: trust applied (OTOBO: trusted account), the host's headers set, filters changing the rest.

use super::address::Address;
use super::content::Attachment;
use super::message::Message;
use super::vocabulary::{self, Vocabulary, canonical_lower_case};
use super::{bounce, encoded_word};
use postigo_model::ticket::FollowedTicket;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is known of a mail besides its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The name of the account that brought the mail.
    pub account: String,
    /// Whether that account is trusted.
    pub trusted: bool,
    /// Milliseconds since the epoch.
    pub received_at: i64,
    /// The envelope's recipients where the source tells them.
    pub recipients: Vec<String>,
}

/// Who set an `X-OTOBO-*` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetBy {
    /// The mail itself, from a trusted account.
    Mail,
    /// The host: a computed header or a default.
    Host,
    /// A filter, by name.
    Filter(Arc<str>),
}

/// A header in force: set by the host, a trusted mail, or a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Canonical spelling.
    pub name: String,
    /// One value, or several of a `multiple` dynamic field. They hold no CR, LF or NUL.
    pub values: Vec<String>,
    /// Who set it.
    pub by: SetBy,
    joined: String,
}

impl InForce {
    /// The values joined by a space, as filters match them.
    pub fn value(&self) -> &str {
        &self.joined
    }
}

/// So many dropped headers are named: a mail can have thousands.
const MOST_DROPPED: usize = 100;

/// A header of the mail that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The name as written.
    pub name: String,
    /// Why, a sentence for the communication log.
    pub reason: &'static str,
}

/// A mail on its way through the chain.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// The message as it was received.
    pub message: Arc<Message>,
    /// What is known besides its bytes.
    pub envelope: Envelope,
    ticket: Option<FollowedTicket>,
    ticket_read: Flag,
    /// By canonical name in lower case.
    in_force: BTreeMap<String, InForce>,
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
    /// Applies trust to a message and sets the host's headers. What does not count of the message's own `X-OTOBO-*` headers is told.
    pub fn receive(message: Arc<Message>, envelope: Envelope, vocabulary: &Vocabulary) -> (Self, Vec<Dropped>) {
        let mut mail = Self { message, envelope, ..Self::default() };
        let message = Arc::clone(&mail.message);
        let mut dropped: Vec<Dropped> = Vec::new();
        let mut aliases = Vec::new();
        for name in message.header_names().filter(|name| vocabulary::is_reserved(name)) {
            if !mail.envelope.trusted {
                dropped.push(Dropped { name: shortened(name), reason: "the account is not trusted" });
            } else if let Some(settable) = vocabulary.read(name) {
                let values = message.headers(name);
                let values = if settable.multiple { values.into_iter().map(str::to_owned).collect() } else { vec![values.join(" ")] };
                if name.eq_ignore_ascii_case(&settable.name) {
                    mail.set(&settable.name, values, &SetBy::Mail);
                } else {
                    aliases.push((name, settable.name, values));
                }
            } else if vocabulary.may_set(name).is_err() {
                dropped.push(Dropped { name: shortened(name), reason: "Postigo computes this header" });
            } else {
                dropped.push(Dropped { name: shortened(name), reason: "there is no such header here" });
            }
        }
        for (alias, name, values) in aliases {
            if mail.in_force(&name).is_some() {
                dropped.push(Dropped { name: shortened(alias), reason: "the X-OTOBO-* header of the same meaning wins" });
            } else {
                mail.set(&name, values, &SetBy::Mail);
            }
        }
        mail.compute();
        mail.generation = 0;
        let more = dropped.len().saturating_sub(MOST_DROPPED);
        dropped.truncate(MOST_DROPPED);
        if more > 0 {
            dropped.push(Dropped { name: format!("X-OTOBO-* ({more} more)"), reason: "they are too many to be named" });
        }
        (mail, dropped)
    }

    /// Sets the host's headers and the defaults that OTOBO sets before its filters.
    fn compute(&mut self) {
        let message = Arc::clone(&self.message);
        let mut host = |name: &str, value: String| self.set(name, vec![value], &SetBy::Host);
        let count = message.attachment_count();
        host(vocabulary::ATTACHMENT_EXISTS, if count > 0 { "yes" } else { "no" }.to_owned());
        host(vocabulary::ATTACHMENT_COUNT, count.to_string());
        let bounce = bounce::detect(&message);
        let is_bounce = bounce.is_some();
        if let Some(bounce) = bounce {
            host(vocabulary::BOUNCE, "1".to_owned());
            host(vocabulary::BOUNCE_ORIGINAL, bounce.original);
            host(vocabulary::BOUNCE_ERROR, bounce.error);
        }
        let own_loop = self.header(vocabulary::LOOP).is_some_and(|value| !value.is_empty());
        let mut host = |name: &str, value: String| self.set(name, vec![value], &SetBy::Host);
        if is_bounce || own_loop || is_automatic(&message) {
            host(vocabulary::LOOP, "yes".to_owned());
        }
        if message.header("X-Sender").is_none_or(str::is_empty)
            && let Some(from) = message.addresses("From").last()
        {
            host("X-Sender", from.address.clone());
        }
        for prefix in ["X-OTOBO-", "X-OTOBO-FollowUp-"] {
            for (suffix, default) in [("SenderType", "customer"), ("IsVisibleForCustomer", "1")] {
                let name = format!("{prefix}{suffix}");
                if self.header(&name).is_none_or(str::is_empty) {
                    self.set(&name, vec![default.to_owned()], &SetBy::Host);
                }
            }
        }
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
        let own = self.message.header_names().filter(|name| matches!(self.find(name), Found::Own(_)));
        own.chain(self.in_force.values().map(|header| header.name.as_str())).collect()
    }

    /// The value of a header (any case): all occurrences joined by a space; for `X-OTOBO-*` (and its alias `X-OTRS-*`) the value in force.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self.find(name) {
            Found::InForce(header) => Some(header.value()),
            Found::Own(lower) => self.message.header(&lower),
            Found::Nothing => None,
        }
    }

    /// Every occurrence of a header.
    pub fn headers(&self, name: &str) -> Vec<Cow<'_, str>> {
        match self.find(name) {
            Found::InForce(header) => header.values.iter().map(|value| Cow::Borrowed(value.as_str())).collect(),
            Found::Own(lower) => self.message.headers(&lower).into_iter().map(Cow::Borrowed).collect(),
            Found::Nothing => Vec::new(),
        }
    }

    /// The addresses of a header, of all its occurrences.
    pub fn addresses(&self, name: &str) -> Vec<Address> {
        match self.find(name) {
            Found::InForce(header) => header.values.iter().flat_map(|value| Address::parse_all(value)).collect(),
            Found::Own(lower) => self.message.addresses(&lower).to_vec(),
            Found::Nothing => Vec::new(),
        }
    }

    /// Where a header's value comes from: those of the vocabulary from what is in force alone.
    fn find<'a>(&self, name: &'a str) -> Found<'a, '_> {
        let lower = canonical_lower_case(name);
        match self.in_force.get(lower.as_ref()) {
            Some(header) => Found::InForce(header),
            None if vocabulary::is_reserved(&lower) => Found::Nothing,
            None => Found::Own(lower),
        }
    }

    /// The body as text with LF line ends; computed once, then kept.
    pub fn text(&self) -> &str {
        self.message.text()
    }

    /// The HTML body, decoded.
    pub fn html(&self) -> Option<&str> {
        self.message.html()
    }

    /// The attachments in their order; computed once, then kept.
    pub fn attachments(&self) -> &[Attachment] {
        self.message.attachments()
    }

    /// The decoded bytes of an attachment.
    pub fn attachment_bytes(&self, index: usize) -> Option<&[u8]> {
        self.message.attachment_bytes(index)
    }

    /// Changes with every change of the mail.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The header in force under this name (any case, `X-OTRS-*` too).
    pub fn in_force(&self, name: &str) -> Option<&InForce> {
        self.in_force.get(canonical_lower_case(name).as_ref())
    }

    /// All `X-OTOBO-*` headers in force, by name.
    pub fn otobo_headers(&self) -> impl Iterator<Item = &InForce> {
        self.in_force.values().filter(|header| vocabulary::is_reserved(&header.name))
    }

    /// Replaces a header; `values` has one value but for a `multiple` dynamic field. The caller has checked that the name may be set and
    /// spells it canonically ([`Vocabulary::may_set`]). CR, LF and NUL become a space.
    pub fn set(&mut self, name: &str, values: Vec<String>, by: &SetBy) {
        let values: Vec<String> = values.into_iter().map(encoded_word::on_one_line).collect();
        let header = InForce { name: name.to_owned(), joined: values.join(" "), values, by: by.clone() };
        self.in_force.insert(canonical_lower_case(name).into_owned(), header);
        self.generation += 1;
    }
}

/// Where a header's value comes from.
enum Found<'n, 'm> {
    /// It is in force.
    InForce(&'m InForce),
    /// The message's own, under this name in lower case, if it has one.
    Own(Cow<'n, str>),
    /// The message's own does not count.
    Nothing,
}

/// A header's name as the log shows it.
fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}

/// Whether an automatic answer to a message would feed a loop: any value of these headers, `auto-` in Auto-Submitted (RFC 3834).
fn is_automatic(message: &Message) -> bool {
    let any_value = ["Mailing-List", "Precedence", "X-Loop", "X-No-Loop"];
    let submitted = message.header("Auto-Submitted").unwrap_or_default().trim_start();
    any_value.iter().any(|name| message.header(name).is_some_and(|value| !value.is_empty()))
        || submitted.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("auto-"))
}

#[cfg(test)]
#[path = "received_tests.rs"]
mod tests;
