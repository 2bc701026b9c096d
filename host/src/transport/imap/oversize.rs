//! What becomes of messages that are too large to be taken in.

use super::after::After;
use super::body;
use super::listing::Listed;
use super::run::{KEY, Run};
use crate::commlog::Priority;
use crate::config::Oversize;
use crate::transport::error::FetchError;
use crate::transport::refusal::describe;

impl Run<'_> {
    /// Leaves, removes or refuses messages above the greatest size, as it is configured.
    pub(super) async fn oversize(&mut self, messages: &[Listed]) -> Result<(), FetchError> {
        self.intake.report.oversize = messages.len() as u64;
        for message in messages {
            let what = format!(
                "Message {} of {} has {} bytes; at most {} are fetched (max_message_size).",
                message.uid,
                self.account.folder,
                message.size,
                self.intake.rules().greatest
            );
            match self.intake.rules().oversize {
                Oversize::Leave => {
                    let priority = if self.memory.first_mention(message.uid) { Priority::Warning } else { Priority::Debug };
                    self.intake.note(priority, KEY, format!("{what} It stays on the server."));
                }
                removed => {
                    let header = body::header(&mut self.connection, message).await?.unwrap_or_default();
                    let mail = describe(&header);
                    // If this process ends before the server is told, the sender is told once more: better than never.
                    let told = if removed == Oversize::Refuse { self.intake.refuse(header, message.size).await? } else { String::new() };
                    self.intake.note(Priority::Warning, KEY, format!("{what} It is removed from the server. {told} {mail}"));
                    self.after_oversize().tell(&mut self.connection, &[message.uid]).await?;
                    self.open.remove(&message.uid);
                }
            }
        }
        Ok(())
    }

    /// Oversize mail is removed whatever is done with fetched mail.
    fn after_oversize(&self) -> After {
        if self.connection.has("UIDPLUS") { After::Expunge } else { After::Mark }
    }
}
