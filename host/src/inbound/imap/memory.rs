//! What is remembered of a mailbox between two runs of one process: the connection, and messages that ended a run.

use super::after::DoneSign;
use super::connection::{Connection, SelectedFolder};
use super::error::ImapError;
use super::listing::ListedMessage;
use crate::inbound::experience::Experience;
use std::time::{Duration, Instant};

/// A connection that is lost sooner than this is not opened again at once: the server may not like to be waited on.
const LIVED: Duration = Duration::from_secs(30);

/// A connection whose folder stays open between two runs.
#[derive(Debug)]
pub struct KeptConnection {
    /// The connection.
    pub connection: Connection,
    /// The folder that is open.
    pub selected: SelectedFolder,
    /// Its identity.
    pub mailbox: i64,
    /// How the server is told of durable messages.
    pub after: DoneSign,
    /// The communication that opened it.
    pub communication: String,
    /// When it was opened.
    pub since: Instant,
}

/// What is remembered of an account's mailbox between two runs.
#[derive(Debug, Default)]
pub struct MailboxMemory {
    /// Whether connections are kept between two runs.
    pub(super) lasting: bool,
    pub(super) kept: Option<KeptConnection>,
    /// Why a kept connection is no more, until the log has it.
    pub(super) lost: Option<ImapError>,
    of: Option<(i64, u32)>,
    /// What was learnt of the messages, by UID.
    pub(super) learnt: Experience<u32>,
}

impl MailboxMemory {
    /// A memory that keeps the connection open, where the account wishes IDLE and the server has it.
    pub fn lasting() -> Self {
        Self { lasting: true, ..Self::default() }
    }

    /// Forgets the messages if this is another mailbox, or the same one renumbered.
    pub fn recall(&mut self, mailbox: i64, uid_validity: u32) {
        if self.of != Some((mailbox, uid_validity)) {
            self.learnt = Experience::default();
            self.of = Some((mailbox, uid_validity));
        }
    }

    /// Waits until the server tells of new mail on a kept connection; forever where there is none. May be dropped at
    /// any moment.
    ///
    /// A connection that is lost after it lived for a while ends the wait too: what came meanwhile is fetched over a
    /// new one.
    pub async fn wait_for_news(&mut self) {
        if let Some(kept) = &mut self.kept {
            let Err(error) = kept.connection.wait_for_news().await else { return };
            let lived = kept.since.elapsed() >= LIVED;
            self.lasting &= !matches!(error, ImapError::Refused { .. });
            self.lost = Some(error);
            self.kept = None;
            if lived {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Drops a kept connection; what was learnt of the messages stays.
    pub fn disconnect(&mut self) {
        self.kept = None;
    }

    /// Ends a kept connection.
    pub async fn close(self) {
        if let Some(kept) = self.kept {
            kept.connection.close().await;
        }
    }

    /// The connection was lost while these were fetched: one of them may be the cause.
    pub fn suspect(&mut self, messages: &[ListedMessage]) {
        // A lone one is guilty; of several each comes alone next time.
        for message in messages {
            self.learnt.suspects.add(message.uid);
        }
    }

    /// These were fetched after all.
    pub fn acquit(&mut self, messages: &[ListedMessage]) {
        for message in messages {
            self.learnt.suspects.acquit(&message.uid);
        }
    }

    /// Takes the suspects out of what is to be fetched: those that are to be fetched alone, at the end, and how many
    /// are given up.
    pub fn set_apart(&self, messages: &mut Vec<ListedMessage>) -> (Vec<ListedMessage>, u64) {
        self.learnt.suspects.set_apart(messages, |message| message.uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(uid: u32) -> ListedMessage {
        ListedMessage { uid, size: 1, internal_date: 0, deleted: false, seen: false }
    }

    #[test]
    fn a_renumbered_mailbox_has_other_messages() {
        let mut memory = MailboxMemory::default();
        memory.recall(1, 1);
        memory.suspect(&[listed(2)]);
        assert!(memory.learnt.first_mention(3) && !memory.learnt.first_mention(3));
        assert_eq!(memory.set_apart(&mut vec![listed(2)]), (vec![listed(2)], 0));
        memory.recall(1, 2);
        assert_eq!(memory.set_apart(&mut vec![listed(2)]), (vec![], 0));
        assert!(memory.learnt.first_mention(3));
    }
}
