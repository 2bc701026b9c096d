//! What becomes of messages that are too large to be taken in.

use super::after::DoneSign;
use super::body;
use super::error::ImapError;
use super::listing::ListedMessage;
use super::run::{FetchRun, KEY};
use crate::inbound::error::FetchError;
use crate::inbound::refusal::TurnedAway;
use postigo_model::communication::Priority;
use postigo_model::configured::Oversize;

impl FetchRun<'_> {
    /// Leaves, removes or refuses messages above the greatest size, as it is configured.
    pub(super) async fn oversize(&mut self, messages: &[ListedMessage]) -> Result<(), FetchError> {
        self.intake.report.oversize += messages.len() as u64;
        for message in messages {
            if self.intake.rules().oversize == Oversize::Leave {
                self.open.remove(&message.uid);
                let priority =
                    if self.memory.learnt.first_mention(message.uid) { Priority::Warning } else { Priority::Debug };
                self.intake.note(priority, KEY, format!("{} It stays on the server.", self.too_large(message)));
            } else {
                self.remove_oversize(message).await?;
            }
        }
        Ok(())
    }

    async fn remove_oversize(&mut self, message: &ListedMessage) -> Result<(), FetchError> {
        let what = self.too_large(message);
        let header = match body::header(&mut self.connection, message).await {
            Ok(header) => header,
            Err(ImapError::Refused { .. }) => None,
            Err(other) => return Err(other.into()),
        };
        let Some(header) = header else {
            let sentence =
                format!("{what} The server does not give its header, so that nobody can be told; it stays there.");
            self.intake.note(Priority::Error, KEY, sentence);
            return Ok(());
        };
        let mail = match self.intake.turn_away(&header, message.size).await? {
            TurnedAway::ToBeRemoved(mail) => mail,
            // It is not settled, so that each run asks again until its sender can be told.
            TurnedAway::Stays(mail) => {
                self.intake.note(Priority::Warning, KEY, format!("{what} It stays on the server. {mail}"));
                return Ok(());
            }
        };
        match self.after_oversize().tell(&mut self.connection, &[message.uid]).await {
            Ok(_) => {
                self.intake.note(Priority::Warning, KEY, format!("{what} It is removed from the server. {mail}"));
                self.open.remove(&message.uid);
                Ok(())
            }
            // What the server refuses must not keep new mail out: it is the run's error at its end.
            Err(error @ ImapError::Refused { .. }) => {
                self.intake.note(
                    Priority::Warning,
                    KEY,
                    format!("{what} It was to be removed from the server. {mail}"),
                );
                self.refused = Some(error);
                Ok(())
            }
            Err(other) => Err(other.into()),
        }
    }

    fn too_large(&self, message: &ListedMessage) -> String {
        let (uid, folder, size, greatest) =
            (message.uid, self.source.folder, message.size, self.intake.rules().greatest);
        format!("Message {uid} of {folder} has {size} bytes; at most {greatest} are fetched (max_message_size).")
    }

    /// Oversize mail is removed whatever is done with fetched mail.
    fn after_oversize(&self) -> DoneSign {
        if self.connection.has("UIDPLUS") { DoneSign::Expunge } else { DoneSign::Mark }
    }
}
