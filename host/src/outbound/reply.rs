//! What a transport says of a mail, recipient by recipient.

use crate::store::StoreError;

/// What became of a mail for one recipient. The text is the server's, or a sentence where the server said nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipientReply {
    /// The next server has it.
    Accepted(String),
    /// Not now: nothing was delivered, the same may work later.
    Later(String),
    /// Never: the same will not work later.
    Refused(String),
    /// The mail went out whole and no answer came: it may have been delivered or not (RFC 5321, section 4.2.5).
    Unknown(String),
}

impl RecipientReply {
    /// Whether the next server has it.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted(_))
    }

    /// Its text.
    pub fn text(&self) -> &str {
        match self {
            Self::Accepted(text) | Self::Later(text) | Self::Refused(text) | Self::Unknown(text) => text,
        }
    }
}

/// Why there are no replies. Nothing was handed over.
#[derive(Debug)]
pub enum Unsent {
    /// The transport cannot be used at all, a sentence.
    Unreachable(String),
    /// The mail could not be read, or it could not be noted that it goes out.
    Store(StoreError),
}

impl From<StoreError> for Unsent {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Replies by recipient.
pub type Replies = Vec<(String, RecipientReply)>;

/// The same reply for all of them.
pub fn all(recipients: &[String], reply: &RecipientReply) -> Replies {
    recipients.iter().map(|recipient| (recipient.clone(), reply.clone())).collect()
}
