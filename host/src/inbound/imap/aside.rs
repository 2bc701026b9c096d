//! Held messages go into the account's `failed_folder` on the server, each once.

use super::after::DoneSign;
use super::body::message_id;
use super::error::ImapError;
use super::folder;
use super::listing::{ListedMessage, list_set, uid_set};
use super::place::MailFolder;
use super::run::{FetchRun, KEY};
use super::twins::{self, Likeness};
use crate::inbound::error::FetchError;
use crate::store::mailboxes::{self, HeldMessage};
use crate::store::{Store, StoreError};
use postigo_model::communication::Priority;
use std::collections::HashMap;

/// So many are put aside in one run.
const AT_ONCE: i64 = 100;

/// A held message and, where it still lies in the account's folder, how it is listed there.
type FoundMessage = (HeldMessage, Option<ListedMessage>);

impl FetchRun<'_> {
    /// Puts what is held into the failed folder: moved where it still lies in the folder, else its bytes, flagged.
    pub(super) async fn set_aside(&mut self) -> Result<(), FetchError> {
        let Some(failed_folder) = self.source.failed_folder else { return Ok(()) };
        let store = self.intake.spool().store().clone();
        let held = mailboxes::held(&mut *store.read().await?, &self.account.name, AT_ONCE).await?;
        if held.is_empty() {
            return Ok(());
        }
        let place = folder::find_or_make(&mut self.connection, failed_folder).await?;
        let found = self.where_they_are(held).await?;
        let there = self.already_aside(&found, &place).await?;
        for ((held, listed), there) in found.into_iter().zip(there) {
            match self.put_aside(&held, listed, there, &place).await {
                // What the server does not take must keep neither the others nor new mail. The message is held here all
                // the same.
                Err(FetchError::Imap(error @ ImapError::Refused { .. })) => {
                    note(&store, held.id, true).await?;
                    let sentence =
                        format!("Message {} ({}) is held, and stays here alone: {error}", held.id, held.source);
                    self.intake.note(Priority::Error, KEY, sentence);
                }
                other => other?,
            }
        }
        Ok(())
    }

    async fn where_they_are(&mut self, held: Vec<HeldMessage>) -> Result<Vec<FoundMessage>, ImapError> {
        let prefix = format!("imap/{}/{}/", self.mailbox, self.selected.uid_validity);
        let uid = |held: &HeldMessage| held.source_key.as_deref()?.strip_prefix(&prefix)?.parse::<u32>().ok();
        let uids: Vec<u32> = held.iter().filter_map(uid).collect();
        let mut there = HashMap::new();
        if !uids.is_empty() {
            let listed = list_set(&mut self.connection, &uid_set(uids)).await?;
            there =
                listed.into_iter().filter(|message| !message.deleted).map(|message| (message.uid, message)).collect();
        }
        let found = held.into_iter().map(|held| {
            let same = |message: &ListedMessage| {
                (i64::try_from(message.size) == Ok(held.size) || !message.is_sized())
                    && message.internal_date == held.date
            };
            let listed = uid(&held).and_then(|uid| there.remove(&uid)).filter(same);
            (held, listed)
        });
        Ok(found.collect())
    }

    /// Which of these an earlier run may have put aside before its connection was lost, and has.
    async fn already_aside(&mut self, found: &[FoundMessage], place: &MailFolder) -> Result<Vec<bool>, FetchError> {
        let mut there = vec![false; found.len()];
        let mut doubtful = Vec::new();
        for (index, (held, _)) in found.iter().enumerate().filter(|(_, (held, _))| held.begun) {
            let raw = match self.intake.spool().raw(held.id).await {
                Ok(raw) => raw,
                // Not looked for, it would be put there a second time.
                Err(error) if error.is_temporary() => return Err(error.into()),
                Err(_) => continue,
            };
            let date = held.date.div_euclid(1_000) * 1_000;
            doubtful.push((index, Likeness { size: raw.len() as u64, date, message_id: message_id(&raw) }));
        }
        if doubtful.is_empty() {
            return Ok(there);
        }
        let (indices, wanted): (Vec<usize>, Vec<Likeness>) = doubtful.into_iter().unzip();
        for (index, twin) in indices.into_iter().zip(twins::find(&mut self.connection, place, &wanted).await?) {
            if let Some(there) = there.get_mut(index) {
                *there = twin;
            }
        }
        self.back_to_folder().await?;
        Ok(there)
    }

    async fn put_aside(
        &mut self,
        held: &HeldMessage,
        listed: Option<ListedMessage>,
        there: bool,
        place: &MailFolder,
    ) -> Result<(), FetchError> {
        let store = self.intake.spool().store().clone();
        let folder = place.shown();
        let sentence = match listed {
            _ if *place == self.selected.place => format!("It stays in {folder}."),
            // A server without MOVE has copied it, and was to remove the original.
            Some(message) if there => {
                let after = DoneSign::into_folder(&self.connection, place.clone());
                after.remove_copied(&mut self.connection, &uid_set([message.uid])).await?;
                format!("It is in {folder} since an earlier fetch.")
            }
            Some(message) => {
                note(&store, held.id, false).await?;
                let after = DoneSign::into_folder(&self.connection, place.clone());
                after.tell(&mut self.connection, &[message.uid]).await?;
                format!("It was moved to {folder}.")
            }
            None if there => format!("It is in {folder} since an earlier fetch."),
            None => match self.intake.spool().raw(held.id).await {
                Ok(raw) => {
                    note(&store, held.id, false).await?;
                    self.connection.append(place, held.date, &raw).await?;
                    format!("Its bytes were put into {folder}.")
                }
                Err(error) if error.is_temporary() => return Err(error.into()),
                Err(error) => format!("It cannot be put into {folder}: {error}"),
            },
        };
        note(&store, held.id, true).await?;
        self.intake.note(Priority::Notice, KEY, format!("Message {} ({}) is held. {sentence}", held.id, held.source));
        Ok(())
    }
}

async fn note(store: &Store, id: i64, done: bool) -> Result<(), StoreError> {
    store.write((id, done), |(id, done), connection| Box::pin(mailboxes::set_aside(connection, *id, *done))).await
}
