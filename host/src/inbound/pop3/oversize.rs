//! Messages above the greatest size.

use super::connection::RetrieveAnswer;
use super::listing::ScanListing;
use super::session::{KEY, Pop3Session};
use crate::inbound::error::FetchError;
use crate::inbound::refusal::{TurnedAway, heading};
use postigo_model::communication::{MailFate, Priority};
use postigo_model::configured::Oversize;

impl Pop3Session<'_> {
    /// What becomes of messages that are too large: they stay, or they are removed without being fetched whole.
    pub(super) async fn remove_oversize(&mut self, planned: Vec<ScanListing>) -> Result<(), FetchError> {
        let messages: Vec<ScanListing> = planned.into_iter().chain(std::mem::take(&mut self.oversize)).collect();
        self.intake.report.oversize += messages.len() as u64;
        for message in messages {
            if self.intake.is_stopped() {
                break;
            }
            let greatest = self.intake.rules().greatest;
            let size = self.memory.size(&message.uidl, message.size);
            let title = message.title(self.connection.redactor());
            let what = format!("{title} has {size} bytes; at most {greatest} are fetched (max_message_size).");
            match self.intake.rules().oversize {
                Oversize::Leave => {
                    let sentence = format!("{what} It stays on the server.");
                    if self.memory.has_mentioned(&message.name().into_owned()) {
                        self.intake.note(Priority::Debug, KEY, sentence);
                        continue;
                    }
                    // Somebody may look for it.
                    let heading = match self.connection.header(message.number).await? {
                        RetrieveAnswer::Bytes(header) => Some(heading(&header)),
                        RetrieveAnswer::TooLarge(_) | RetrieveAnswer::Refused(_) => None,
                    };
                    // Not before: where the connection ends meanwhile, the next run is the first to tell.
                    self.memory.first_mention(message.name().into_owned());
                    let unknown = || "The server does not give its header.".to_owned();
                    let mail = heading.as_ref().map_or_else(unknown, ToString::to_string);
                    self.intake
                        .tell_too_large(KEY, format!("{sentence} {mail}"), heading.as_ref(), MailFate::Left)
                        .await;
                }
                Oversize::DeleteAndLog | Oversize::Refuse => {
                    let header = match self.connection.header(message.number).await? {
                        RetrieveAnswer::Bytes(header) => header,
                        RetrieveAnswer::TooLarge(_) | RetrieveAnswer::Refused(_) => {
                            let sentence = format!(
                                "{what} The server does not give its header, so that nobody can be told; it stays there."
                            );
                            self.intake.note(Priority::Error, KEY, sentence);
                            continue;
                        }
                    };
                    let (sentence, is_new, fate) = match self.intake.turn_away(&header, size).await? {
                        TurnedAway::ToBeRemoved(mail) => {
                            self.removed.push(message.number);
                            (format!("{what} It is to be removed from the server. {mail}"), true, MailFate::Refused)
                        }
                        TurnedAway::Stays(mail) => {
                            let first = self.memory.first_mention(message.name().into_owned());
                            (format!("{what} It stays on the server. {mail}"), first, MailFate::Left)
                        }
                    };
                    let heading = is_new.then(|| heading(&header));
                    self.intake.tell_too_large(KEY, sentence, heading.as_ref(), fate).await;
                }
            }
        }
        Ok(())
    }
}
