//! One session of a run: what it lists, fetches, deletes and leaves to the next one.

use super::Memory;
use super::bytes_key::stands_for_bytes;
use super::connection::{Connection, GIVE};
use super::error::Pop3Error;
use super::listing::{MailboxListing, MailboxPlan, ScanListing, first, gone};
use crate::inbound::error::FetchError;
use crate::inbound::intake::Intake;
use postigo_model::communication::Priority;
use postigo_model::configured::{Account, AfterFetch};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// What the log's entries of this client begin with.
pub const KEY: &str = "transport.pop3";

/// So many messages are asked for at once.
const BATCH: usize = 128;
/// So many bytes are asked for at once.
pub(super) const BATCH_BYTES: u64 = 2 << 20;
/// After so many messages a session ends, so that what it deleted is deleted.
const SESSION: usize = 1_000;
/// After so many bytes a session ends.
const SESSION_BYTES: u64 = 64 << 20;

/// What a session leaves to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRest {
    /// Nothing.
    Nothing,
    /// Messages that are to be fetched.
    More,
}

/// A session that has begun.
pub struct Pop3Session<'a> {
    pub(super) connection: Connection,
    pub(super) intake: &'a mut Intake,
    pub(super) memory: &'a mut Memory,
    pub(super) account: &'a Account,
    /// The first of its run: the one that is counted and told of.
    pub(super) is_first: bool,
    /// What is here by its unique-id, with sizes in bytes.
    pub(super) known: HashMap<String, u64>,
    pub(super) has_uidls: bool,
    /// How often the same bytes came in this session: without unique-ids the copies are counted.
    pub(super) copies: HashMap<String, u32>,
    /// Durable here, to be deleted there: number, and the unique-id that it is known by.
    pub(super) durable: Vec<(u32, String)>,
    pub(super) oversize: Vec<ScanListing>,
    /// Messages that are removed without being fetched, by their numbers.
    pub(super) removed: Vec<u32>,
    /// Some were left for later, lest they take too much memory together.
    pub(super) put_off: bool,
    /// So many are there whose bytes were not seen.
    pub(super) passed_over: u64,
}

impl<'a> Pop3Session<'a> {
    /// A session over a signed-in connection.
    pub fn new(
        connection: Connection,
        intake: &'a mut Intake,
        memory: &'a mut Memory,
        account: &'a Account,
        is_first: bool,
    ) -> Self {
        Self {
            connection,
            intake,
            memory,
            account,
            is_first,
            known: HashMap::new(),
            has_uidls: true,
            copies: HashMap::new(),
            durable: Vec::new(),
            oversize: Vec::new(),
            removed: Vec::new(),
            put_off: false,
            passed_over: 0,
        }
    }

    /// Does the session's work to its end; gives the number of messages that there were. With an error comes whether
    /// another session may get further.
    pub async fn run(mut self) -> Result<(SessionRest, u32), (FetchError, SessionRest)> {
        let (plan, listed) = self.plan().await.map_err(|error| (error, SessionRest::Nothing))?;
        self.passed_over = plan.given_up + plan.oversize.len() as u64;
        let (now, left) = self.choose(&plan);
        let mut result = self.fetch_all(now).await;
        let left = if self.put_off { SessionRest::More } else { left };
        if result.is_ok() && left == SessionRest::Nothing {
            result = self.remove_oversize(plan.oversize).await;
        }
        let progress = !self.durable.is_empty();
        let is_complete =
            result.is_ok() && left == SessionRest::Nothing && self.passed_over == 0 && !self.intake.is_stopped();
        let told = match &result {
            // What is durable is told even if no more can be stored; on a lost connection the next session tells it.
            Ok(()) | Err(FetchError::Store(_)) => self.finish(is_complete).await,
            Err(_) => Ok(()),
        };
        match result.and(told) {
            // Without progress another session would do the same again.
            Ok(()) => Ok((if progress { left } else { SessionRest::Nothing }, listed)),
            Err(error @ FetchError::Pop3(Pop3Error::Lost { doing: GIVE, .. })) => Err((error, SessionRest::More)),
            Err(error) => Err((error, SessionRest::Nothing)),
        }
    }

    /// Lists the mailbox, forgets what is gone from it, and plans.
    async fn plan(&mut self) -> Result<(MailboxPlan, u32), FetchError> {
        let count = self.connection.count().await?;
        let listing = if count == 0 {
            MailboxListing::default()
        } else {
            let sizes = self.connection.sizes(count).await?;
            let uidls = self.connection.uidls(count).await?;
            for odd in std::mem::take(&mut self.connection.odd) {
                self.intake.note(Priority::Notice, KEY, odd);
            }
            MailboxListing::new(sizes, uidls)
        };
        self.has_uidls = listing.without_uidl.is_none();
        let names: HashSet<Cow<'_, str>> = listing.messages.iter().map(ScanListing::name).collect();
        self.memory.retain(|name| names.contains(name.as_str()));
        self.known = self.intake.spool().uidls(&self.account.name).await?;
        self.retire_gone(&listing).await?;
        let plan = MailboxPlan::new(&listing, &self.known, self.deletes(), self.intake.rules().greatest, self.memory);
        if self.is_first {
            self.intake.report.seen = u64::from(count);
            self.tell_hidden(count as usize, listing.messages.len());
            self.tell_plan(&listing, &plan);
        }
        Ok((plan, count))
    }

    fn tell_hidden(&mut self, count: usize, listed: usize) {
        if listed < count {
            self.intake.report.unreadable += (count - listed) as u64;
            let sentence = format!(
                "By its count the server has {count} messages, and it lists {listed} of them. The others cannot be fetched."
            );
            self.intake.note(Priority::Warning, KEY, sentence);
        }
    }

    async fn retire_gone(&mut self, listing: &MailboxListing) -> Result<(), FetchError> {
        // The next session may have them again, and its messages are those that are known.
        if listing.has_unusable_uidls() {
            return Ok(());
        }
        let mut gone = gone(&self.known, listing);
        if !self.has_uidls {
            // What stands for bytes may still be there; that is seen when all are fetched.
            gone.retain(|uidl| !stands_for_bytes(uidl));
        }
        self.intake.spool().retire(&self.account.name, &gone).await?;
        for uidl in gone {
            self.known.remove(&uidl);
        }
        Ok(())
    }

    fn tell_plan(&mut self, listing: &MailboxListing, plan: &MailboxPlan) {
        let sentence = format!(
            "{} messages are listed: {} to be fetched, {} known by unique-id and size, {} too large, {} left out.",
            listing.messages.len(),
            plan.fetch.len() + plan.alone.len(),
            plan.known,
            plan.oversize.len(),
            plan.given_up
        );
        self.intake.note(Priority::Debug, KEY, sentence);
        if let Some(why) = listing.without_uidl {
            let advice = if self.deletes() {
                ""
            } else {
                " Everything is fetched each time; with after_fetch = \"delete\" it is not."
            };
            let sentence = format!("Messages are known by their bytes alone, since {why}.{advice}");
            self.intake.note(Priority::Notice, KEY, sentence);
        }
        self.intake.report.earlier = plan.known;
        self.intake.report.unreadable += plan.given_up;
        if plan.given_up > 0 {
            let sentence = format!(
                "{} messages are left out for half an hour: each time they were asked for, the connection was lost.",
                plan.given_up
            );
            self.intake.note(Priority::Error, KEY, sentence);
        }
    }

    /// What this session fetches. Those that may end it come when the others have been told of.
    fn choose<'p>(&self, plan: &'p MailboxPlan) -> (Vec<&'p [ScanListing]>, SessionRest) {
        // Without unique-ids all others would come first each time where nothing is deleted.
        if plan.fetch.is_empty() || (!self.is_first && !self.deletes() && !plan.alone.is_empty()) {
            return (plan.alone.chunks(1).collect(), SessionRest::Nothing);
        }
        // A server that lets nobody in for a while has all its work done at once.
        let is_patient = self.connection.capability("LOGIN-DELAY").is_none_or(|delay| delay.trim() == "0");
        let steps = self.deletes() && is_patient;
        let now = if steps { first(&plan.fetch, SESSION, SESSION_BYTES) } else { &plan.fetch };
        let mut batches = Vec::new();
        let mut rest = now;
        while !rest.is_empty() {
            let batch = first(rest, BATCH, BATCH_BYTES);
            rest = rest.get(batch.len()..).unwrap_or_default();
            batches.push(batch);
        }
        let all = now.len() == plan.fetch.len() && plan.alone.is_empty();
        (batches, if all { SessionRest::Nothing } else { SessionRest::More })
    }

    pub(super) fn deletes(&self) -> bool {
        self.account.after_fetch == AfterFetch::Delete
    }

    /// Deletes what is durable, and ends the session. Only what the server's answer to QUIT covers counts as told.
    async fn finish(&mut self, is_complete: bool) -> Result<(), FetchError> {
        let mut gone = if is_complete { self.not_seen() } else { Vec::new() };
        let durable = if self.deletes() { std::mem::take(&mut self.durable) } else { Vec::new() };
        let removed = std::mem::take(&mut self.removed);
        let numbers: Vec<u32> = durable.iter().map(|(number, _)| *number).chain(removed).collect();
        let refused = self.connection.delete(&numbers).await?;
        self.connection.quit().await?;
        self.intake.report.told += (numbers.len() - refused.len()) as u64;
        let kept: HashSet<u32> = refused.iter().map(|(number, _)| *number).collect();
        gone.extend(durable.into_iter().filter(|(number, _)| !kept.contains(number)).map(|(_, uidl)| uidl));
        // Now the server may use their unique-ids for others.
        self.intake.spool().retire(&self.account.name, &gone).await?;
        // They are durable and known. What the server refuses must not keep new mail out: it is the run's error at its
        // end.
        match refused.into_iter().next() {
            Some((_, refusal)) => Err(Pop3Error::refused("delete messages", refusal).into()),
            None => Ok(()),
        }
    }

    /// Bytes that stood for messages, and did not come again.
    fn not_seen(&self) -> Vec<String> {
        if self.has_uidls {
            return Vec::new();
        }
        let seen: HashSet<&str> = self.durable.iter().map(|(_, uidl)| uidl.as_str()).collect();
        self.known.keys().filter(|uidl| stands_for_bytes(uidl) && !seen.contains(uidl.as_str())).cloned().collect()
    }
}
