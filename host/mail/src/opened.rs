//! The second stage of reading a mail, after parsing: what is protected in it is opened, once, before trust. All later
//! stages, and both runs of a chain, share what was opened here.

use super::message::Message;
use std::sync::Arc;

/// A message whose protected parts have been opened. Cheap to clone: the clones are the same message, with all that has
/// been read of it.
#[derive(Debug, Clone)]
pub struct OpenedMessage {
    received: Arc<Message>,
}

impl OpenedMessage {
    /// A message that is read as it came.
    pub fn as_it_came(message: Message) -> Self {
        Self { received: Arc::new(message) }
    }

    /// The message as it was received. Its own headers alone are the mail's: those inside its parts never count.
    pub fn message(&self) -> &Message {
        &self.received
    }
}
