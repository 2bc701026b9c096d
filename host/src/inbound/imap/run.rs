//! One run over one account's folder.

use super::after::DoneSign;
use super::connection::{Connection, SelectedFolder};
use super::error::ImapError;
use super::listing::{FolderPlan, KnownUid, ListedMessage, batches, list, list_set, uid_set};
use super::memory::{KeptConnection, MailboxMemory};
use super::odd::Oddities;
use super::progress::Progress;
use super::twins;
use crate::inbound::error::FetchError;
use crate::inbound::intake::Intake;
use postigo_model::communication::Priority;
use postigo_model::configured::{Account, ImapFolder, Oversize, Server};
use postigo_model::spool::SourceKey;
use postigo_net::credentials::Credentials;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

/// So many messages are asked for at once.
const BATCH: usize = 128;
/// So many bytes are asked for at once.
pub(super) const BATCH_BYTES: u64 = 2 << 20;

pub(super) const KEY: &str = "transport.imap";

/// Fetches what is new from the account's folder.
pub async fn fetch(intake: &mut Intake, source: ImapFolder<'_>, memory: &mut MailboxMemory) -> Result<(), FetchError> {
    let account = intake.account.clone();
    let KeptConnection { mut connection, selected, mailbox, after, communication, since } =
        if let Some(kept) = resume(intake, memory).await {
            kept
        } else {
            let oddities = Oddities::default();
            let begun = begin(intake, source, &oddities).await;
            tell(intake, &oddities);
            begun?
        };
    memory.recall(mailbox, selected.uid_validity);
    connection.make_room(intake.rules().greatest);
    let mut run = FetchRun {
        connection,
        intake,
        memory,
        account: &account,
        source,
        mailbox,
        selected,
        after,
        durable: Vec::new(),
        open: BTreeSet::new(),
        refused: None,
        ungiven: BTreeSet::new(),
        refusals: BTreeMap::new(),
        larger: Vec::new(),
        put_off: Vec::new(),
        apart: BTreeSet::new(),
    };
    let mut shown = run.intake.shown_wait();
    let done = shown.during(run.through()).await;
    tell(run.intake, run.connection.oddities());
    let FetchRun { connection, intake, memory, selected, after, .. } = run;
    if done.is_ok() && memory.lasting && source.idle && connection.has("IDLE") {
        if intake.report.communication.as_ref() == Some(&communication) {
            intake.is_referred_to();
        }
        memory.kept = Some(KeptConnection { connection, selected, mailbox, after, communication, since });
    } else {
        connection.close().await;
    }
    done
}

/// The connection that the last run left open, if it still lives.
async fn resume(intake: &mut Intake, memory: &mut MailboxMemory) -> Option<KeptConnection> {
    let mut lost = memory.lost.take();
    if let Some(mut kept) = memory.kept.take() {
        let mut shown = intake.shown_wait();
        match shown.during(kept.connection.wake()).await {
            Ok(()) => {
                let sentence = format!(
                    "It goes on on the connection of communication {}, which waited for new mail.",
                    kept.communication
                );
                intake.note(Priority::Debug, KEY, sentence);
                return Some(kept);
            }
            Err(error) => lost = Some(error),
        }
    }
    if let Some(error) = lost {
        let sentence = format!("The connection that waited for new mail is no more; a new one is opened. {error}");
        intake.note(Priority::Info, KEY, sentence);
    }
    None
}

/// Has the log tell what is odd about the server.
fn tell(intake: &mut Intake, oddities: &Oddities) {
    for oddity in oddities.untold() {
        intake.note(Priority::Notice, KEY, oddity);
    }
}

async fn begin(intake: &mut Intake, source: ImapFolder<'_>, oddities: &Oddities) -> Result<KeptConnection, FetchError> {
    intake.show_progress().await;
    let mut shown = intake.shown_wait();
    let mut connection = shown.during(open(intake, source.server, oddities)).await?;
    for (key, value) in std::mem::take(&mut connection.facts) {
        intake.note(Priority::Debug, &format!("{KEY}.{key}"), value);
    }
    intake.show_progress().await;
    let account = Arc::clone(&intake.account);
    let selected = connection.select(source.folder).await?;
    let mailbox = intake.spool().mailbox(&account.name, source.server.host, source.server.user, source.folder).await?;
    let after = DoneSign::choose(&mut connection, &account.after_fetch, intake).await?;
    let communication = intake.report.communication.clone().unwrap_or_default();
    Ok(KeptConnection { connection, selected, mailbox, after, communication, since: Instant::now() })
}

async fn open(intake: &mut Intake, server: Server<'_>, oddities: &Oddities) -> Result<Connection, FetchError> {
    let credentials = intake.credentials().await?;
    let error = match Connection::open(&intake.account.name, server, &credentials, oddities).await {
        Err(error @ ImapError::SignIn { .. }) => error,
        other => return Ok(other?),
    };
    intake.refused(&credentials).await;
    if !matches!(credentials, Credentials::Bearer { .. }) {
        return Err(error.into());
    }
    // The token may have been taken back before its time; a new one tells.
    intake.note(Priority::Notice, KEY, format!("The access token was refused; a new one is tried. {error}"));
    let fresh = intake.credentials().await?;
    if fresh == credentials {
        return Err(error.into());
    }
    Ok(Connection::open(&intake.account.name, server, &fresh, oddities).await?)
}

/// Connects, signs in and looks at the folder, changing nothing; what the server said, key and value.
pub async fn probe(
    account: &str,
    source: ImapFolder<'_>,
    credentials: &Credentials,
) -> Result<Vec<(&'static str, String)>, ImapError> {
    let mut connection = Connection::open(account, source.server, credentials, &Oddities::default()).await?;
    let mut facts = std::mem::take(&mut connection.facts);
    let selected = connection.examine(source.folder).await;
    let exists = connection.exists();
    let oddities = connection.oddities().untold();
    if !oddities.is_empty() {
        facts.push(("odd", oddities.join(" ")));
    }
    connection.close().await;
    let selected = selected?;
    facts.push((
        "folder",
        format!("{}: {exists} messages, UIDVALIDITY {}", selected.place.shown(), selected.uid_validity),
    ));
    Ok(facts)
}

/// A run under way.
pub(super) struct FetchRun<'a> {
    pub connection: Connection,
    pub intake: &'a mut Intake,
    pub memory: &'a mut MailboxMemory,
    pub account: &'a Account,
    pub source: ImapFolder<'a>,
    pub mailbox: i64,
    pub selected: SelectedFolder,
    pub after: DoneSign,
    /// Durable here, not told yet.
    pub durable: Vec<u32>,
    /// Messages that are not done with.
    pub open: BTreeSet<u32>,
    /// What the server said no to when it was told of durable messages.
    pub refused: Option<ImapError>,
    /// Messages that were listed and did not come.
    pub ungiven: BTreeSet<u32>,
    /// Messages that the server refused to give, and its words.
    pub refusals: BTreeMap<u32, String>,
    /// Messages that turned out to be too large.
    pub larger: Vec<ListedMessage>,
    /// Messages that are fetched alone after the others, lest they take too much memory together.
    pub put_off: Vec<ListedMessage>,
    /// Messages that come in ranges whatever their size is said to be, so that no answer is larger than what was asked
    /// for.
    pub apart: BTreeSet<u32>,
}

impl FetchRun<'_> {
    async fn through(&mut self) -> Result<(), FetchError> {
        self.connection.news = false;
        let mut progress = Progress::load(self.intake, self.mailbox, self.selected.uid_validity).await?;
        let done = self.all(&mut progress).await;
        let told = match &done {
            // What is durable is told even if the rest cannot be fetched; on a lost connection the next run tells it.
            Ok(()) | Err(FetchError::Store(_)) => self.tell(0).await,
            Err(_) => Ok(()),
        };
        progress.settle(&self.open);
        let saved = progress.save(self.intake, self.mailbox).await.map_err(FetchError::from);
        let looks = done.is_ok() && told.is_ok();
        let looked = if looks { self.look_for_ungiven().await } else { Ok(()) };
        self.tell_refusals(looks && looked.is_ok());
        let aside = if done.is_ok() && told.is_ok() { self.set_aside().await } else { Ok(()) };
        let refused = self.refused.take().map_or(Ok(()), |error| Err(error.into()));
        done.and(told).and(saved).and(looked.map_err(FetchError::from)).and(aside).and(refused)
    }

    async fn all(&mut self, progress: &mut Progress) -> Result<(), FetchError> {
        let (mut listed, mut there) = self.list(progress.from()).await?;
        let is_whole = progress.from() == 1;
        if is_whole && listed.len() < there {
            self.learn_of_removals().await?;
            (listed, there) = self.list(progress.from()).await?;
        }
        let hidden = if is_whole { there.saturating_sub(listed.len()) } else { 0 };
        if hidden > 0 {
            let sentence = format!(
                "By its count the server has {there} messages in {}, and it lists {} of them. The others cannot be fetched.",
                self.source.folder,
                listed.len()
            );
            self.intake.note(Priority::Warning, KEY, sentence);
        }
        let seen = if is_whole { listed.len() } else { listed.len().max(self.connection.exists() as usize) };
        self.intake.report.seen = (seen + hidden) as u64;
        self.intake.report.unreadable += hidden as u64;
        self.intake.report.earlier = (seen - listed.len()) as u64;
        self.intake.report.left = progress.leave(&mut listed, self.source.start) as u64;
        for message in &mut listed {
            message.size = self.memory.learnt.size(&message.uid, message.size);
        }
        self.open = listed.iter().map(|message| message.uid).collect();
        // What is left alone must be known before anything else is taken.
        progress.save(self.intake, self.mailbox).await?;
        self.work_off(&listed).await
    }

    /// Lists the folder from a UID on, and says how many messages are there in all.
    async fn list(&mut self, from: u32) -> Result<(Vec<ListedMessage>, usize), ImapError> {
        let there = self.connection.exists();
        let listed = list(&mut self.connection, from).await?;
        // Some may have been removed meanwhile.
        Ok((listed, there.min(self.connection.exists()) as usize))
    }

    /// A server may tell only now what other clients have removed, and until then list and count it (RFC 2180 section
    /// 4.1).
    async fn learn_of_removals(&mut self) -> Result<(), ImapError> {
        match self.connection.command("tell what was removed", "NOOP", |_| ()).await {
            // Only what is said of messages that do not come rests on it.
            Err(ImapError::Refused { .. }) => Ok(()),
            learnt => learnt,
        }
    }

    async fn work_off(&mut self, listed: &[ListedMessage]) -> Result<(), FetchError> {
        let remembered = self.remembered(listed).await?;
        let mut plan = FolderPlan::new(listed, &remembered, self.intake.rules().greatest);
        self.intake.report.marked_deleted = plan.marked_by_others as u64;
        self.intake.report.earlier += plan.finish.len() as u64;
        self.open = plan.fetch.iter().chain(self.removed(&plan.oversize)).map(|message| message.uid).collect();
        if plan.changed > 0 {
            let sentence =
                format!("{} UIDs stand for other messages than before; these are fetched as new ones.", plan.changed);
            self.intake.note(Priority::Warning, KEY, sentence);
        }
        self.tell_missing(&plan.fetch);
        self.finish_earlier(&plan).await?;
        let (alone, given_up) = self.memory.set_apart(&mut plan.fetch);
        self.apart.extend(alone.iter().map(|message| message.uid));
        self.intake.report.unreadable += given_up;
        if given_up > 0 {
            let sentence = format!(
                "{given_up} messages are left out for half an hour: each time they were asked for, the connection was lost."
            );
            self.intake.note(Priority::Error, KEY, sentence);
        }
        let mut all = batches(&plan.fetch, BATCH, BATCH_BYTES);
        all.extend(alone.chunks(1));
        self.fetch_all(&all).await?;
        let put_off = std::mem::take(&mut self.put_off);
        self.apart.extend(put_off.iter().map(|message| message.uid));
        self.fetch_all(&put_off.chunks(1).collect::<Vec<_>>()).await?;
        plan.oversize.append(&mut self.larger);
        self.oversize(&plan.oversize).await
    }

    /// What is listed still was not removed meanwhile: the server does not give it, and will not the next time.
    async fn look_for_ungiven(&mut self) -> Result<(), ImapError> {
        let missing: BTreeSet<u32> = self.ungiven.iter().chain(self.refusals.keys()).copied().collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.learn_of_removals().await?;
        let mut there = BTreeSet::new();
        for part in missing.iter().copied().collect::<Vec<u32>>().chunks(500) {
            let listed = list_set(&mut self.connection, &uid_set(part.iter().copied())).await?;
            there.extend(listed.iter().map(|message| message.uid));
        }
        let refused = self.refusals.len();
        self.refusals.retain(|uid, _| there.contains(uid));
        self.intake.report.gone += (refused - self.refusals.len()) as u64;
        let ungiven = std::mem::take(&mut self.ungiven);
        there.retain(|uid| ungiven.contains(uid));
        if !there.is_empty() {
            self.intake.report.gone = self.intake.report.gone.saturating_sub(there.len() as u64);
            self.intake.report.unreadable += there.len() as u64;
            let sentence = format!(
                "The server lists messages in {} and does not give them, by their UIDs: {}. They stay there, and each fetch asks for them again. Look at them with another mail program.",
                self.source.folder,
                uid_set(there)
            );
            self.intake.note(Priority::Warning, KEY, sentence);
        }
        Ok(())
    }

    /// Tells of what the server refused to give.
    /// `are_there`: it was seen that the server lists them still.
    fn tell_refusals(&mut self, are_there: bool) {
        let stays =
            if are_there { "stays on the server" } else { "may be there still: the run ended before that was asked" };
        for (uid, text) in std::mem::take(&mut self.refusals) {
            self.intake.report.unreadable += 1;
            let sentence = format!(
                "Message {uid} of {} cannot be fetched and {stays}. The server says: {text}",
                self.source.folder
            );
            self.intake.note(Priority::Error, KEY, sentence);
        }
    }

    /// Tells of what is to be fetched without the facts by which it would be known.
    fn tell_missing(&mut self, messages: &[ListedMessage]) {
        let without = |is_missing: fn(&ListedMessage) -> bool| {
            uid_set(messages.iter().filter(|message| is_missing(message)).map(|message| message.uid))
        };
        for (what, uids) in [
            ("date that can be read (INTERNALDATE)", without(|message| message.internal_date == 0)),
            ("size (RFC822.SIZE)", without(|message| message.size == 0)),
        ] {
            if !uids.is_empty() {
                let sentence = format!(
                    "The server tells no {what} of the messages with these UIDs: {uids}. They are fetched all the same."
                );
                self.intake.note(Priority::Warning, KEY, sentence);
            }
        }
    }

    /// Those of the too large messages that do not stay on the server.
    fn removed<'p>(&self, oversize: &'p [ListedMessage]) -> &'p [ListedMessage] {
        if self.intake.rules().oversize == Oversize::Leave { &[] } else { oversize }
    }

    /// What the spool knows of the listed UIDs.
    async fn remembered(&self, listed: &[ListedMessage]) -> Result<HashMap<u32, KnownUid>, FetchError> {
        let keys: Vec<SourceKey> = listed.iter().map(|message| self.key(message)).collect();
        let known = self.intake.spool().known(&self.account.name, &keys).await?;
        let remembered = listed.iter().zip(known).filter_map(|(message, known)| {
            let known = known?;
            Some((
                message.uid,
                KnownUid { size: u64::try_from(known.size).ok()?, internal_date: known.internal_date.unwrap_or(0) },
            ))
        });
        Ok(remembered.collect())
    }

    /// The key of a message of the open folder.
    pub fn key(&self, message: &ListedMessage) -> SourceKey {
        SourceKey::Imap {
            mailbox: self.mailbox,
            uid_validity: self.selected.uid_validity,
            uid: message.uid,
            internal_date: message.internal_date,
        }
    }

    /// Tells the server of what an earlier run made durable, without fetching it again.
    async fn finish_earlier(&mut self, plan: &FolderPlan) -> Result<(), FetchError> {
        let due: Vec<ListedMessage> =
            plan.finish.iter().filter(|message| !self.after.is_done(message.deleted, message.seen)).copied().collect();
        if due.is_empty() {
            return Ok(());
        }
        self.open.extend(due.iter().map(|message| message.uid));
        let sentence =
            format!("{} messages are durable here since an earlier fetch; the server is told now.", due.len());
        self.intake.note(Priority::Info, KEY, sentence);
        let copied = self.remove_copied(&due).await?;
        self.durable.extend(due.iter().map(|message| message.uid).filter(|uid| !copied.contains(uid)));
        self.tell(0).await
    }

    /// Where the server has no MOVE, an earlier run may have been cut off between COPY and the removal: what is in the
    /// other folder already is not copied again.
    async fn remove_copied(&mut self, due: &[ListedMessage]) -> Result<BTreeSet<u32>, FetchError> {
        let DoneSign::Copy { folder, .. } = self.after.clone() else { return Ok(BTreeSet::new()) };
        let wanted = twins::likenesses(&mut self.connection, due).await?;
        let found = twins::find(&mut self.connection, &folder, &wanted).await?;
        self.back_to_folder().await?;
        let copied: BTreeSet<u32> =
            due.iter().zip(found).filter(|(_, found)| *found).map(|(message, _)| message.uid).collect();
        if !copied.is_empty() {
            let sentence = format!(
                "{} of them were copied to {} before; the originals are removed.",
                copied.len(),
                folder.shown()
            );
            self.intake.note(Priority::Info, KEY, sentence);
            let uids: Vec<u32> = copied.iter().copied().collect();
            for part in uids.chunks(500) {
                self.after.remove_copied(&mut self.connection, &uid_set(part.iter().copied())).await?;
            }
            self.intake.report.told += copied.len() as u64;
            self.open.retain(|uid| !copied.contains(uid));
        }
        Ok(copied)
    }

    /// Opens the account's folder again after another one was looked at.
    pub async fn back_to_folder(&mut self) -> Result<(), ImapError> {
        let place = self.selected.place.clone();
        let opened = self.connection.open_place("SELECT", &place).await?;
        if opened.uid_validity != self.selected.uid_validity {
            return Err(ImapError::closed("open the folder again", "it was renumbered meanwhile"));
        }
        // What came meanwhile is not told once more.
        self.connection.news = true;
        Ok(())
    }
}
