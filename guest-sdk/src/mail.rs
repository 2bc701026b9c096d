//! The mail as a filter sees it: read on demand from the host, or natively from a mail that a test built.

#[cfg(target_arch = "wasm32")]
use crate::bindings::plugin::postigo::message::message as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing as host;

/// An address of an address header (RFC 5322 section 3.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// The decoded display name; empty where there is none.
    pub display_name: String,
    /// The bare address as written.
    pub address: String,
}

/// How a mail came to Postigo.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arrival {
    /// The name of the account that brought the mail.
    pub account: String,
    /// Whether that account is trusted.
    pub trusted: bool,
    /// Size of the raw message in bytes.
    pub size: u64,
    /// When Postigo took the mail in, in milliseconds since 1970-01-01T00:00:00Z.
    pub received_at: u64,
}

/// The ticket that a mail follows up. What has no value is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ticket {
    /// The ticket number, without the hook.
    pub number: String,
    /// The title.
    pub title: String,
    /// The name of its queue.
    pub queue: String,
    /// The name of its state.
    pub state: String,
    /// The type of its state: `new`, `open`, `closed`, …
    pub state_type: String,
    /// The name of its priority.
    pub priority: String,
    /// The name of its type.
    pub type_: String,
    /// The name of its service.
    pub service: String,
    /// The name of its service level agreement.
    pub sla: String,
    /// Its lock: `unlock`, `lock`, `tmp_lock`.
    pub lock: String,
    /// The login of its owner.
    pub owner: String,
    /// The login of its responsible agent.
    pub responsible: String,
    /// Its customer's number (OTOBO: CustomerID).
    pub customer_number: String,
    /// The login of its customer user.
    pub customer_user: String,
    /// When it was opened, in milliseconds since 1970-01-01T00:00:00Z.
    pub created_at: u64,
}

/// An attachment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attachment {
    /// The decoded file name; empty where there is none.
    pub name: String,
    /// The media type in lower case, without parameters.
    pub media_type: String,
    /// Size in bytes after transfer decoding.
    pub size: u64,
    /// Whether it wants to be shown within the mail, not beside it.
    pub inline: bool,
    /// Its Content-ID without the angle brackets; empty where there is none.
    pub content_id: String,
}

/// Why a part of the mail could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The filter was not granted this.
    #[error("The filter was not granted what it wants to read.")]
    Denied,
    /// There is no attachment of this index.
    #[error("There is no such attachment.")]
    NotFound,
    /// It is there, and it cannot be read: why, a sentence. A later Postigo may say so of what is encrypted, for example.
    #[error("{0}")]
    Unreadable(String),
}

impl From<Refusal> for String {
    fn from(refusal: Refusal) -> Self {
        refusal.to_string()
    }
}

#[cfg(target_arch = "wasm32")]
impl From<host::Refusal> for Refusal {
    fn from(refusal: host::Refusal) -> Self {
        match refusal {
            host::Refusal::Denied => Self::Denied,
            host::Refusal::NotFound => Self::NotFound,
            host::Refusal::Unreadable(why) => Self::Unreadable(why),
        }
    }
}

/// A mail, lent for one call. Every method asks the host: keep what is needed twice.
#[derive(Debug)]
pub struct Mail<'a>(&'a host::Mail);

// The `?` turns the host's refusal into ours; natively they are the same.
#[allow(clippy::needless_question_mark)]
impl<'a> Mail<'a> {
    pub(crate) fn lent(mail: &'a host::Mail) -> Self {
        Self(mail)
    }

    /// The names of all headers, each once, in order of first appearance; the `X-OTOBO-*` in force come last.
    pub fn header_names(&self) -> Vec<String> {
        self.0.header_names()
    }

    /// The value of a header: name in any case, unfolded, decoded, several occurrences joined by a space; none when it
    /// is missing.
    pub fn header(&self, name: &str) -> Option<String> {
        self.0.header(name)
    }

    /// All values of a header, an occurrence each.
    pub fn headers(&self, name: &str) -> Vec<String> {
        self.0.headers(name)
    }

    /// The addresses of a header, of all its occurrences, from left to right.
    pub fn addresses(&self, name: &str) -> Vec<Address> {
        let addresses = self.0.addresses(name);
        addresses.into_iter().map(|one| Address { display_name: one.display_name, address: one.address }).collect()
    }

    /// How the mail came to Postigo.
    pub fn arrival(&self) -> Arrival {
        let known = self.0.arrival();
        Arrival { account: known.account, trusted: known.trusted, size: known.size, received_at: known.received_at }
    }

    /// The envelope's recipients where the source tells them (LMTP, SMTP); otherwise empty.
    pub fn recipients(&self) -> Vec<String> {
        self.0.recipients()
    }

    /// The ticket that the mail follows up, if it does.
    pub fn ticket(&self) -> Option<Ticket> {
        self.0.ticket().map(|ticket| Ticket {
            number: ticket.number,
            title: ticket.title,
            queue: ticket.queue,
            state: ticket.state,
            state_type: ticket.state_type,
            priority: ticket.priority,
            type_: ticket.type_,
            service: ticket.service,
            sla: ticket.sla,
            lock: ticket.lock,
            owner: ticket.owner,
            responsible: ticket.responsible,
            customer_number: ticket.customer_number,
            customer_user: ticket.customer_user,
            created_at: ticket.created_at,
        })
    }

    /// The body as text with LF line ends.
    ///
    /// # Errors
    /// Denied without the grant `body`.
    pub fn text(&self) -> Result<String, Refusal> {
        Ok(self.0.text()?)
    }

    /// The HTML body as it came, if the mail has one.
    ///
    /// # Errors
    /// Denied without the grant `body`.
    pub fn html(&self) -> Result<Option<String>, Refusal> {
        Ok(self.0.html()?)
    }

    /// The attachments, in their order.
    ///
    /// # Errors
    /// Denied without the grant `attachments`.
    pub fn attachments(&self) -> Result<Vec<Attachment>, Refusal> {
        let attachments = self.0.attachments()?;
        Ok(attachments
            .into_iter()
            .map(|one| Attachment {
                name: one.name,
                media_type: one.media_type,
                size: one.size,
                inline: one.inline,
                content_id: one.content_id,
            })
            .collect())
    }

    /// At most `length` decoded bytes of an attachment from `offset`; fewer at its end.
    ///
    /// # Errors
    /// Denied without the grant `attachments`; not found where there is no attachment of this index.
    pub fn attachment_bytes(&self, index: u32, offset: u64, length: u32) -> Result<Vec<u8>, Refusal> {
        Ok(self.0.attachment_bytes(index, offset, length)?)
    }

    /// At most `length` bytes of the message as it was received from `offset`; fewer at its end.
    ///
    /// # Errors
    /// Denied without the grant `raw`.
    pub fn raw(&self, offset: u64, length: u32) -> Result<Vec<u8>, Refusal> {
        Ok(self.0.raw(offset, length)?)
    }

    /// A number that changes with every change of the mail.
    pub fn generation(&self) -> u64 {
        self.0.generation()
    }
}
