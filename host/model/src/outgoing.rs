//! What an outgoing mail is, and how far it has come.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Makes `name`, `FromStr` and `Display` of an enum whose variants have one word each in the database, in REST and on
/// the command line.
macro_rules! words {
    ($name:ident: $what:literal, $($variant:ident = $word:literal),+) => {
        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its word in the database, in REST and on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("{word:?} is no {}: {}", $what, [$($word),+].join(", "))),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.name())
            }
        }
    };
}

/// So often may the answer to the content of an agent's mail be lost; then nobody is sent it again.
pub const MOST_UNCERTAIN: i64 = 3;

/// What an outgoing mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutgoingKind {
    /// A queue's automatic answer.
    AutoResponse,
    /// Tells the sender of a mail that it was not taken in.
    Refusal,
    /// An agent's answer.
    Reply,
    /// An article passed on to somebody else.
    Forward,
    /// A received mail sent on unchanged (OTOBO: bounce; RFC 5322: resent).
    Bounce,
    /// The first mail of a ticket that an agent opens.
    New,
}

words!(OutgoingKind: "kind of outgoing mail", AutoResponse = "auto-response", Refusal = "refusal", Reply = "reply", Forward = "forward", Bounce = "bounce", New = "new");

impl OutgoingKind {
    /// Written by the program: rather lost than doubled. Mail of people is rather doubled than lost.
    pub fn is_automatic(self) -> bool {
        matches!(self, Self::AutoResponse | Self::Refusal)
    }
}

/// How far an outgoing mail has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutgoingStatus {
    /// Decided, not composed yet.
    Due,
    /// Composed; it is to be sent, for the first time or again.
    Waiting,
    /// A process sends it now.
    Sending,
    /// A server took it for all recipients.
    Sent,
    /// Given up for at least one recipient.
    Failed,
    /// Its answer was lost, and it is not sent again: it may have arrived or not.
    Uncertain,
    /// Ended by an admin before it was sent.
    Cancelled,
}

words!(OutgoingStatus: "status of an outgoing mail", Due = "due", Waiting = "waiting", Sending = "sending", Sent = "sent", Failed = "failed", Uncertain = "uncertain", Cancelled = "cancelled");

/// What became of a mail for one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryStatus {
    /// Not tried yet.
    Waiting,
    /// The next server took it; it may have reported that it goes on trying.
    Sent,
    /// Refused for now; it is tried again.
    Delayed,
    /// Refused for good, given up, or reported as undeliverable.
    Failed,
    /// The answer was lost.
    Uncertain,
    /// Reported as delivered (RFC 3464).
    Delivered,
}

words!(DeliveryStatus: "status of a delivery", Waiting = "waiting", Sent = "sent", Delayed = "delayed", Failed = "failed", Uncertain = "uncertain", Delivered = "delivered");

/// What kind of failure a failed delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryFailure {
    /// A server refused for good, or reported so: the same would not work later.
    Hard,
    /// It was given up because the trouble did not pass in time: the same may work later.
    Soft,
}

words!(DeliveryFailure: "kind of failure", Hard = "hard", Soft = "soft");
