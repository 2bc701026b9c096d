//! A mail as filters and filing see it: the parsed message, what is known besides its bytes, and the `X-OTOBO-*` headers in force.

use std::sync::Arc;

/// A parsed message. Parsing never fails: the worst bytes give a message without headers and with a body.
#[derive(Debug, Default)]
pub struct Message {
    raw: Arc<[u8]>,
}

/// An address of an address header (RFC 5322 section 3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The decoded display name; empty where there is none.
    pub display_name: String,
    /// The bare address as written.
    pub address: String,
}

/// An attachment as the peer counts them: see `postmaster` semantics in the architecture page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The decoded file name; empty where there is none.
    pub name: String,
    /// The media type in lower case, without parameters.
    pub media_type: String,
    /// Size in bytes after transfer decoding.
    pub size: u64,
}

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

/// The ticket that a mail follows up, as the filters see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FollowedTicket {
    /// The ticket number without the hook.
    pub number: String,
    /// The title.
    pub title: String,
    /// The queue's name.
    pub queue: String,
    /// The state's name.
    pub state: String,
    /// The state's type.
    pub state_type: String,
    /// The priority's name.
    pub priority: String,
    /// The owner's login; empty where nobody owns it.
    pub owner: String,
    /// The customer user's login; empty where there is none.
    pub customer_user: String,
}

/// Who set an `X-OTOBO-*` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetBy {
    /// The mail itself, from a trusted account.
    Mail,
    /// The host: a computed header.
    Host,
    /// A filter, by name.
    Filter(Arc<str>),
}

/// A mail on its way through the chain.
#[derive(Debug, Default)]
pub struct Mail {
    /// The message as it was received.
    pub message: Arc<Message>,
    /// What is known besides its bytes.
    pub envelope: Envelope,
    /// The ticket that it follows up, by the first follow-up check.
    pub ticket: Option<FollowedTicket>,
}

impl Message {
    /// Parses the received bytes; total.
    pub fn parse(raw: Arc<[u8]>) -> Self {
        Self { raw }
    }

    /// The received bytes, unchanged.
    pub fn raw(&self) -> &Arc<[u8]> {
        &self.raw
    }
}

impl Mail {
    /// The names of all headers, each once, in order of first appearance; the `X-OTOBO-*` in force last.
    pub fn header_names(&self) -> Vec<String> {
        Vec::new()
    }

    /// The value of a header (any case): all occurrences joined by a space; for `X-OTOBO-*` the value in force.
    pub fn header(&self, _name: &str) -> Option<String> {
        None
    }

    /// Every occurrence of a header.
    pub fn headers(&self, _name: &str) -> Vec<String> {
        Vec::new()
    }

    /// The addresses of a header, of all its occurrences.
    pub fn addresses(&self, _name: &str) -> Vec<Address> {
        Vec::new()
    }

    /// The body as text with LF line ends; computed once, then kept.
    pub fn text(&self) -> &str {
        ""
    }

    /// The HTML body, decoded.
    pub fn html(&self) -> Option<&str> {
        None
    }

    /// The attachments in their order; computed once, then kept.
    pub fn attachments(&self) -> &[Attachment] {
        &[]
    }

    /// The decoded bytes of an attachment.
    pub fn attachment_bytes(&self, _index: usize) -> Option<&[u8]> {
        None
    }

    /// Changes with every change of the mail.
    pub fn generation(&self) -> u64 {
        0
    }

    /// Replaces a header; `values` has one value but for a `multiple` dynamic field. The caller has checked that the name may be set.
    pub fn set(&mut self, _name: &str, _values: Vec<String>, _by: &SetBy) {}
}
