//! One run over one account's folder.

use super::after::After;
use super::body::{self, RANGE};
use super::connection::{Connection, Selected};
use super::error::ImapError;
use super::listing::{Listed, Plan, Remembered, batches, list};
use super::memory::Memory;
use crate::commlog::Priority;
use crate::config::{Account, Oversize};
use crate::oauth2::Credentials;
use crate::spool::{Arrival, SourceKey, TakenIn};
use crate::transport::error::FetchError;
use crate::transport::intake::Intake;
use crate::transport::refusal::describe;
use std::collections::HashMap;

/// So many messages are asked for at once.
const BATCH: usize = 128;
/// So many bytes are asked for at once.
const BATCH_BYTES: u64 = 2 << 20;
/// So many messages are told of at once: each telling makes the server write.
const TELL: usize = 512;

const KEY: &str = "transport.imap";

/// Messages with their bytes.
type Fetched = Vec<(Listed, Vec<u8>)>;

/// Fetches what is new from the account's folder.
pub async fn fetch(intake: &mut Intake, memory: &mut Memory) -> Result<(), FetchError> {
    let account = intake.account.clone();
    let mut connection = open(intake, &account).await?;
    for (key, value) in std::mem::take(&mut connection.facts) {
        intake.note(Priority::Debug, &format!("{KEY}.{key}"), value);
    }
    intake.show_progress().await;
    let selected = connection.select(&account.folder).await?;
    let mailbox = intake.spool().mailbox(&account.name, &account.host, &account.user, &account.folder).await?;
    memory.recall(mailbox, selected.uid_validity);
    let after = After::choose(&mut connection, &account.after_fetch, intake).await?;
    let mut run = Run { connection, intake, memory, account: &account, mailbox, selected, after, durable: Vec::new(), refused: None };
    let done = run.all().await;
    let told = match &done {
        // What is durable is told even if the rest cannot be fetched; on a lost connection the next run tells it.
        Ok(()) | Err(FetchError::Store(_)) => run.tell(0).await,
        Err(_) => Ok(()),
    };
    run.connection.close().await;
    let refused = run.refused.take().map_or(Ok(()), |error| Err(error.into()));
    done.and(told).and(refused)
}

async fn open(intake: &Intake, account: &Account) -> Result<Connection, FetchError> {
    let credentials = intake.credentials().await?;
    match Connection::open(account, &credentials).await {
        Err(error @ ImapError::SignIn { .. }) => {
            intake.refused(&credentials).await;
            Err(error.into())
        }
        other => Ok(other?),
    }
}

/// Connects, signs in and looks at the folder, changing nothing; what the server said, key and value.
pub async fn probe(account: &Account, credentials: &Credentials) -> Result<Vec<(&'static str, String)>, ImapError> {
    let mut connection = Connection::open(account, credentials).await?;
    let mut facts = std::mem::take(&mut connection.facts);
    let selected = connection.examine(&account.folder).await;
    connection.close().await;
    let selected = selected?;
    facts.push(("folder", format!("{}: {} messages, UIDVALIDITY {}", account.folder, selected.exists, selected.uid_validity)));
    Ok(facts)
}

struct Run<'a> {
    connection: Connection,
    intake: &'a mut Intake,
    memory: &'a mut Memory,
    account: &'a Account,
    mailbox: i64,
    selected: Selected,
    after: After,
    /// Durable here, not told yet.
    durable: Vec<u32>,
    /// What the server said no to when it was told of durable messages.
    refused: Option<ImapError>,
}

impl Run<'_> {
    async fn all(&mut self) -> Result<(), FetchError> {
        let listed = list(&mut self.connection, self.selected.exists).await?;
        self.intake.report.seen = listed.len() as u64;
        let remembered = self.remembered(&listed).await?;
        let mut plan = Plan::new(&listed, &remembered, self.intake.rules().greatest);
        self.intake.report.marked_deleted = plan.marked_by_others as u64;
        if plan.changed > 0 {
            let sentence = format!("{} UIDs stand for other messages than before; these are fetched as new ones.", plan.changed);
            self.intake.note(Priority::Warning, KEY, sentence);
        }
        self.finish_earlier(&plan).await?;
        let (alone, given_up) = self.memory.set_apart(&mut plan.fetch);
        self.intake.report.unreadable += given_up;
        if given_up > 0 {
            let sentence =
                format!("{given_up} messages are left out for half an hour: each time they were asked for, the connection was lost.");
            self.intake.note(Priority::Error, KEY, sentence);
        }
        let alone: Vec<&[Listed]> = alone.chunks(1).collect();
        let all = batches(&plan.fetch, BATCH, BATCH_BYTES);
        self.fetch_all(all.into_iter().chain(alone)).await?;
        self.oversize(&plan.oversize).await
    }

    /// What the spool knows of the listed UIDs.
    async fn remembered(&self, listed: &[Listed]) -> Result<HashMap<u32, Remembered>, FetchError> {
        let keys: Vec<SourceKey> = listed.iter().map(|message| self.key(message)).collect();
        let known = self.intake.spool().known(&self.account.name, &keys).await?;
        let remembered = listed.iter().zip(known).filter_map(|(message, known)| {
            let known = known?;
            Some((message.uid, Remembered { size: u64::try_from(known.size).ok()?, internal_date: known.internal_date.unwrap_or(0) }))
        });
        Ok(remembered.collect())
    }

    fn key(&self, message: &Listed) -> SourceKey {
        SourceKey::Imap {
            mailbox: self.mailbox,
            uid_validity: self.selected.uid_validity,
            uid: message.uid,
            internal_date: message.internal_date,
        }
    }

    /// Tells the server of what an earlier run made durable, without fetching it again.
    async fn finish_earlier(&mut self, plan: &Plan) -> Result<(), FetchError> {
        self.durable
            .extend(plan.finish.iter().filter(|message| !self.after.is_done(message.deleted, message.seen)).map(|message| message.uid));
        if !self.durable.is_empty() {
            let sentence = format!("{} messages are durable here since an earlier fetch; the server is told now.", self.durable.len());
            self.intake.note(Priority::Info, KEY, sentence);
        }
        self.tell(0).await
    }

    /// Fetches batch after batch; while one is stored, the next is under way.
    async fn fetch_all<'b>(&mut self, batches: impl Iterator<Item = &'b [Listed]>) -> Result<(), FetchError> {
        let mut waiting: Fetched = Vec::new();
        for batch in batches {
            if self.intake.is_stopped() {
                break;
            }
            let (uids, arrivals) = self.arrivals(std::mem::take(&mut waiting));
            let spool = self.intake.spool().clone();
            let stored = async move { if arrivals.is_empty() { Ok(Vec::new()) } else { spool.take_in(arrivals).await } };
            let (fetched, stored) = tokio::join!(self.fetch_batch(batch), stored);
            // First what is durable: it must be told of even if this batch broke.
            self.stored(uids, &stored?);
            waiting = fetched?;
            self.tell(TELL).await?;
            self.intake.show_progress().await;
        }
        let (uids, arrivals) = self.arrivals(waiting);
        if !arrivals.is_empty() {
            let stored = self.intake.spool().take_in(arrivals).await?;
            self.stored(uids, &stored);
        }
        Ok(())
    }

    fn arrivals(&mut self, fetched: Fetched) -> (Vec<u32>, Vec<Arrival>) {
        let mut uids = Vec::with_capacity(fetched.len());
        let mut arrivals = Vec::with_capacity(fetched.len());
        for (message, raw) in fetched {
            self.intake.report.fetched += 1;
            self.intake.report.bytes += raw.len() as u64;
            uids.push(message.uid);
            arrivals.push(self.intake.arrival(self.key(&message), format!("{}/{}", self.account.folder, message.uid), raw));
        }
        (uids, arrivals)
    }

    fn stored(&mut self, uids: Vec<u32>, taken: &[TakenIn]) {
        self.intake.count(taken);
        self.durable.extend(uids);
    }

    /// Tells the server of the durable messages, once there are `least` of them.
    async fn tell(&mut self, least: usize) -> Result<(), FetchError> {
        if self.durable.is_empty() || self.durable.len() < least {
            return Ok(());
        }
        match self.after.tell(&mut self.connection, &self.durable).await {
            Ok(told) => self.intake.report.told += told,
            // They are durable and known. What the server refuses must not keep new mail out: it is the run's error at its end.
            Err(error @ ImapError::Refused { .. }) => self.refused = Some(error),
            Err(error) => return Err(error.into()),
        }
        self.durable.clear();
        Ok(())
    }

    async fn fetch_batch(&mut self, batch: &[Listed]) -> Result<Fetched, FetchError> {
        let result = self.bodies(batch).await;
        match &result {
            Ok(_) => self.memory.acquit(batch),
            Err(FetchError::Imap(ImapError::Lost { .. })) => self.memory.suspect(batch),
            Err(_) => {}
        }
        result
    }

    async fn bodies(&mut self, batch: &[Listed]) -> Result<Fetched, FetchError> {
        let [only] = batch else { return self.small_bodies(batch).await };
        if only.size <= RANGE {
            return self.small_bodies(batch).await;
        }
        match body::large(&mut self.connection, only, self.intake.rules().greatest).await {
            Ok(Some(raw)) => Ok(vec![(*only, raw)]),
            Ok(None) => {
                self.intake.report.gone += 1;
                Ok(Vec::new())
            }
            Err(ImapError::Refused { text, .. }) => {
                self.unreadable(only, &text);
                Ok(Vec::new())
            }
            Err(other) => Err(other.into()),
        }
    }

    async fn small_bodies(&mut self, batch: &[Listed]) -> Result<Fetched, FetchError> {
        let mut bodies = match body::small(&mut self.connection, batch).await {
            Ok(bodies) => bodies,
            Err(ImapError::Refused { .. }) => HashMap::new(),
            Err(other) => return Err(other.into()),
        };
        let mut fetched = Vec::with_capacity(batch.len());
        for message in batch {
            match bodies.remove(&message.uid) {
                Some(raw) => fetched.push((*message, raw)),
                // One that the server cannot give must not keep the others.
                None => fetched.extend(self.again(message).await?.map(|raw| (*message, raw))),
            }
        }
        Ok(fetched)
    }

    /// Asks for a message alone that a batch did not bring.
    async fn again(&mut self, message: &Listed) -> Result<Option<Vec<u8>>, FetchError> {
        match body::small(&mut self.connection, &[*message]).await {
            Ok(mut bodies) => {
                let raw = bodies.remove(&message.uid);
                self.intake.report.gone += u64::from(raw.is_none());
                Ok(raw)
            }
            Err(ImapError::Refused { text, .. }) => {
                self.unreadable(message, &text);
                Ok(None)
            }
            Err(other) => Err(other.into()),
        }
    }

    fn unreadable(&mut self, message: &Listed, text: &str) {
        self.intake.report.unreadable += 1;
        let sentence =
            format!("Message {} of {} cannot be fetched and stays on the server, which says: {text}", message.uid, self.account.folder);
        self.intake.note(Priority::Error, KEY, sentence);
    }

    async fn oversize(&mut self, messages: &[Listed]) -> Result<(), FetchError> {
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
