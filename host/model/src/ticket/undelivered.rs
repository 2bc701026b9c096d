//! The note that tells agents of a mail of theirs which did not reach somebody.

use super::{NewArticle, SenderType};

impl NewArticle {
    /// A note, for agents alone. `lost` has a line for each recipient: the address and what was said of it.
    pub fn undelivered(kind: &str, message_id: &str, lost: &[String], now: i64) -> Self {
        Self {
            sender_type: SenderType::System,
            subject: "A mail could not be delivered".into(),
            body: format!(
                "A mail of this ticket ({kind}, Message-ID {message_id}) could not be delivered to:\n\n{}\n\nIt is not sent again by itself.\n",
                lost.join("\n")
            ),
            date: Some(now),
            ..Self::default()
        }
    }
}
