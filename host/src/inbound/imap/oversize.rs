//! What becomes of messages that are too large to be taken in.

use super::after::DoneSign;
use super::body;
use super::error::ImapError;
use super::listing::ListedMessage;
use super::run::{FetchRun, KEY};
use crate::inbound::error::FetchError;
use crate::inbound::refusal::{TurnedAway, heading};
use postigo_model::communication::{MailFate, Priority};
use postigo_model::configured::Oversize;

impl FetchRun<'_> {
    /// Leaves, removes or refuses messages above the greatest size, as it is configured.
    pub(super) async fn oversize(&mut self, messages: &[ListedMessage]) -> Result<(), FetchError> {
        self.intake.report.oversize += messages.len() as u64;
        for message in messages {
            if self.intake.is_stopped() {
                break;
            }
            if self.intake.rules().oversize == Oversize::Leave {
                self.open.remove(&message.uid);
                self.leave_oversize(message).await?;
            } else {
                self.remove_oversize(message).await?;
            }
        }
        Ok(())
    }

    /// The first time it is asked which mail it is: somebody may look for it.
    async fn leave_oversize(&mut self, message: &ListedMessage) -> Result<(), FetchError> {
        let what = format!("{} It stays on the server.", self.too_large(message));
        if self.memory.learnt.has_mentioned(&message.uid) {
            self.intake.note(Priority::Debug, KEY, what);
            return Ok(());
        }
        let heading = self.header(message).await?.map(|header| heading(&header));
        // Not before: where the connection ends meanwhile, the next run is the first to tell.
        self.memory.learnt.first_mention(message.uid);
        let mail =
            heading.as_ref().map_or_else(|| "The server does not give its header.".to_owned(), ToString::to_string);
        self.intake.tell_too_large(KEY, format!("{what} {mail}"), heading.as_ref(), MailFate::Left).await;
        Ok(())
    }

    /// A message's header; none where the server refuses to give it.
    async fn header(&mut self, message: &ListedMessage) -> Result<Option<Vec<u8>>, FetchError> {
        match body::header(&mut self.connection, message).await {
            Ok(header) => Ok(header),
            Err(ImapError::Refused { .. }) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    async fn remove_oversize(&mut self, message: &ListedMessage) -> Result<(), FetchError> {
        let what = self.too_large(message);
        let Some(header) = self.header(message).await? else {
            let sentence =
                format!("{what} The server does not give its header, so that nobody can be told; it stays there.");
            self.intake.note(Priority::Error, KEY, sentence);
            return Ok(());
        };
        let mail = match self.intake.turn_away(&header, message.size).await? {
            TurnedAway::ToBeRemoved(mail) => mail,
            // It is not settled, so that each run asks again until its sender can be told.
            TurnedAway::Stays(mail) => {
                let first = self.memory.learnt.first_mention(message.uid);
                let heading = first.then(|| heading(&header));
                let sentence = format!("{what} It stays on the server. {mail}");
                self.intake.tell_too_large(KEY, sentence, heading.as_ref(), MailFate::Left).await;
                return Ok(());
            }
        };
        match self.after_oversize().tell(&mut self.connection, &[message.uid]).await {
            Ok(_) => {
                let sentence = format!("{what} It is removed from the server. {mail}");
                self.intake.tell_too_large(KEY, sentence, Some(&heading(&header)), MailFate::Refused).await;
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
