//! The third stage of reading a mail: trust (OTOBO: trusted account) decides which of the mail's own `X-OTOBO-*`
//! headers count.

use super::in_force::{HeadersInForce, SetBy};
use super::opened::OpenedMessage;
use super::vocabulary::{self, Vocabulary};

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

/// So many dropped headers are named: a mail can have thousands.
const MOST_DROPPED: usize = 100;

/// A header of the mail that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedHeader {
    /// The name as written.
    pub name: String,
    /// Why, a sentence for the communication log.
    pub reason: &'static str,
}

/// A message of which is settled what of its own headers counts.
#[derive(Debug, Clone)]
pub struct VettedMessage {
    pub(super) opened: OpenedMessage,
    pub(super) envelope: Envelope,
    pub(super) in_force: HeadersInForce,
}

impl OpenedMessage {
    /// Applies trust: of an untrusted account's message no `X-OTOBO-*` header counts. What does not count is told.
    pub fn vet(self, envelope: Envelope, vocabulary: &Vocabulary) -> (VettedMessage, Vec<DroppedHeader>) {
        let mut in_force = HeadersInForce::default();
        let mut dropped: Vec<DroppedHeader> = Vec::new();
        let mut aliases = Vec::new();
        let message = self.message();
        for name in message.header_names().filter(|name| vocabulary::is_reserved(name)) {
            if !envelope.trusted {
                dropped.push(DroppedHeader { name: shortened(name), reason: "the account is not trusted" });
            } else if let Some(settable) = vocabulary.read(name) {
                let values = message.headers(name);
                let values = if settable.multiple {
                    values.into_iter().map(str::to_owned).collect()
                } else {
                    vec![values.join(" ")]
                };
                if name.eq_ignore_ascii_case(&settable.name) {
                    in_force.set(&settable.name, values, &SetBy::Mail);
                } else {
                    aliases.push((name, settable.name, values));
                }
            } else if vocabulary.may_set(name).is_err() {
                dropped.push(DroppedHeader { name: shortened(name), reason: "Postigo computes this header" });
            } else {
                dropped.push(DroppedHeader { name: shortened(name), reason: "there is no such header here" });
            }
        }
        for (alias, name, values) in aliases {
            if in_force.get(&name).is_some() {
                dropped.push(DroppedHeader {
                    name: shortened(alias),
                    reason: "the X-OTOBO-* header of the same meaning wins",
                });
            } else {
                in_force.set(&name, values, &SetBy::Mail);
            }
        }
        let more = dropped.len().saturating_sub(MOST_DROPPED);
        dropped.truncate(MOST_DROPPED);
        if more > 0 {
            dropped.push(DroppedHeader {
                name: format!("X-OTOBO-* ({more} more)"),
                reason: "they are too many to be named",
            });
        }
        (VettedMessage { opened: self, envelope, in_force }, dropped)
    }
}

/// A header's name as the log shows it.
fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}
