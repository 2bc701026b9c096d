//! How far an account is with a folder: what is left alone, and up to which UID nothing is left to do.

use super::listing::ListedMessage;
use crate::inbound::intake::{Intake, IntakeRules};
use crate::store::StoreError;
use crate::store::mailboxes::{self, MailboxState};
use postigo_model::configured::{Account, Start};
use postigo_model::timestamp::now;
use std::collections::BTreeSet;

/// So often is a folder listed from its beginning, milliseconds: what others marked as deleted may be so no more.
const LISTED_WHOLE: i64 = HOUR;
/// Milliseconds.
const HOUR: i64 = 60 * 60 * 1_000;

/// How far an account is with a folder under one UIDVALIDITY.
#[derive(Debug)]
pub struct Progress {
    stored: Option<MailboxState>,
    state: MailboxState,
    /// A folder that was left alone up to some moment, and was renumbered since.
    renumbered: bool,
    /// The last UID that was listed.
    last: Option<u32>,
}

impl Progress {
    /// Reads what is remembered of the folder, a row of `mailboxes`, for the intake's account.
    pub async fn load(intake: &Intake, mailbox: i64, uid_validity: u32) -> Result<Self, StoreError> {
        let mut connection = intake.spool().store().read().await?;
        let stored = mailboxes::state(&mut connection, mailbox, uid_validity).await?;
        let settled_for = settings(&intake.account, intake.rules());
        let mut state = stored.clone().unwrap_or(MailboxState { uid_validity, ..MailboxState::default() });
        let mut renumbered = false;
        if stored.is_none()
            && let Some(before) = mailboxes::left_before(&mut connection, mailbox).await?
        {
            (state.left_before, renumbered) = (before, true);
        }
        let whole = state.settled_for != settled_for || !(0..LISTED_WHOLE).contains(&(now() - state.listed_at));
        if whole {
            state.settled = 0;
        }
        state.settled_for = settled_for;
        Ok(Self { stored, state, renumbered, last: None })
    }

    /// From this UID on the folder is to be listed.
    pub fn from(&self) -> u32 {
        self.state.settled.max(1)
    }

    /// Takes out of a list what is left alone, and says how much that is. On first sight of a folder it is all that is
    /// there, where the account begins now.
    pub fn leave(&mut self, listed: &mut Vec<ListedMessage>, start: Start) -> usize {
        self.last = listed.last().map(|message| message.uid);
        let first_sight = self.stored.is_none() && !self.renumbered;
        if first_sight && start == Start::Now {
            self.state.first_uid = listed.last().map_or(0, |last| last.uid.saturating_add(1));
            self.state.left_before = bound(listed.iter().map(|message| message.internal_date).max(), now());
        }
        if self.from() == 1 {
            self.state.listed_at = now();
        }
        if start == Start::Beginning {
            return 0;
        }
        let count = listed.len();
        let MailboxState { first_uid, left_before, .. } = self.state;
        // A renumbered folder tells old mail by its date alone; one without a date may be new.
        let is_new = |date: i64| date == 0 || date >= left_before;
        listed.retain(|message| if first_uid > 0 { message.uid >= first_uid } else { is_new(message.internal_date) });
        count - listed.len()
    }

    /// Remembers that all listed messages are done with, but for those that are `open`.
    pub fn settle(&mut self, open: &BTreeSet<u32>) {
        let end = self.last.map_or(self.state.settled, |last| last.saturating_add(1));
        self.state.settled = open.first().map_or(end, |first| end.min(*first));
    }

    /// Writes what is to be remembered, if it is news.
    pub async fn save(&mut self, intake: &Intake, mailbox: i64) -> Result<(), StoreError> {
        if self.stored.as_ref() == Some(&self.state) {
            return Ok(());
        }
        let row = (mailbox, self.state.clone());
        let store = intake.spool().store();
        store
            .write(row, |(mailbox, state), connection| Box::pin(mailboxes::remember(connection, *mailbox, state)))
            .await?;
        self.stored = Some(self.state.clone());
        Ok(())
    }
}

/// The date below which mail of a renumbered folder is old, by the newest date that was left alone. Mail of the last
/// hour may have come in the same second as new mail, whatever the server's clock says: better filed than lost.
fn bound(newest: Option<i64>, now: i64) -> i64 {
    match newest {
        None => 0,
        Some(newest) if newest < now - HOUR => newest + 1_000,
        Some(newest) => newest,
    }
}

/// What decides whether a message is done with.
fn settings(account: &Account, rules: &IntakeRules) -> String {
    format!("{:?} {:?} {} {:?}", account.after_fetch, account.start, rules.greatest, rules.oversize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(uid: u32, internal_date: i64) -> ListedMessage {
        ListedMessage { uid, size: 1, internal_date, deleted: false, seen: false }
    }

    fn progress() -> Progress {
        Progress { stored: None, state: MailboxState::default(), renumbered: false, last: None }
    }

    fn uids(listed: &[ListedMessage]) -> Vec<u32> {
        listed.iter().map(|message| message.uid).collect()
    }

    #[test]
    fn an_account_that_begins_now_leaves_what_is_there_and_takes_what_comes_whatever_its_date() {
        let mut progress = progress();
        let mut there = vec![listed(3, 500), listed(7, 400)];
        assert_eq!(progress.leave(&mut there, Start::Now), 2);
        assert!(there.is_empty());
        progress.stored = Some(progress.state.clone());
        let mut later = vec![listed(3, 500), listed(7, 400), listed(8, 100)];
        assert_eq!((progress.leave(&mut later, Start::Now), uids(&later)), (2, vec![8]));
        let mut all = vec![listed(3, 500)];
        assert_eq!((progress.leave(&mut all, Start::Beginning), uids(&all)), (0, vec![3]), "a change of mind");
    }

    #[test]
    fn an_empty_folder_is_seen_too() {
        let mut progress = progress();
        assert_eq!(progress.leave(&mut Vec::new(), Start::Now), 0);
        progress.stored = Some(progress.state.clone());
        let mut first = vec![listed(1, 10)];
        assert_eq!((progress.leave(&mut first, Start::Now), uids(&first)), (0, vec![1]));
    }

    #[test]
    fn a_renumbered_folder_tells_what_it_left_by_its_date() {
        let mut progress = Progress { renumbered: true, ..progress() };
        progress.state.left_before = 500;
        let mut there = vec![listed(1, 400), listed(2, 500), listed(3, 600), listed(4, 0)];
        assert_eq!((progress.leave(&mut there, Start::Now), uids(&there)), (1, vec![2, 3, 4]), "no date says nothing");
    }

    #[test]
    fn old_mail_is_below_the_bound_and_what_may_be_new_is_not() {
        assert_eq!(bound(None, 10 * HOUR), 0);
        assert_eq!(bound(Some(5 * HOUR), 10 * HOUR), 5 * HOUR + 1_000);
        assert_eq!(bound(Some(10 * HOUR - 1_000), 10 * HOUR), 10 * HOUR - 1_000);
    }

    #[test]
    fn a_folder_is_settled_up_to_the_first_message_that_is_open() {
        let mut progress = progress();
        progress.leave(&mut vec![listed(9, 0)], Start::Beginning);
        progress.settle(&BTreeSet::new());
        assert_eq!(progress.from(), 10);
        progress.leave(&mut Vec::new(), Start::Beginning);
        progress.settle(&BTreeSet::new());
        assert_eq!(progress.from(), 10, "nothing new");
        progress.leave(&mut vec![listed(15, 0), listed(20, 0)], Start::Beginning);
        progress.settle(&[15, 17].into());
        assert_eq!(progress.from(), 15);
    }
}
