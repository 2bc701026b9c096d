//! An account's messages: evaluated side by side, filed in the order of their arrival.

use super::alone::{ProcessEnd, ProcessPlace};
use super::budget::{WorkerBudget, WorkerReservation};
use super::evaluate::{self, AloneWorker, EvaluateError, FirstCheck};
use super::filing::{self, FilingResult, Ready};
use super::in_hand::{MessagesInHand, RunInHand};
use super::live::Live;
use super::{reading, report};
use crate::chain::PutOff;
use crate::spool::{Lease, MessageClaims, MessageFailure, Spool, SuspectRule};
use crate::store::StoreError;
use bytes::Bytes;
use postigo_model::claim::Claim;
use postigo_model::communication::{MailFate, Priority};
use postigo_model::result::MessageResult;
use postigo_model::spool::{ClaimedMessage, SpoolStatus};
use postigo_model::ticket::FollowedTicket;
use postigo_supervision as supervision;
use postigo_supervision::{WorkKind, caught};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// So many messages are evaluated side by side.
const WINDOW: usize = 128;
/// So many are filed in one transaction at most.
const BATCH: usize = 64;
/// How long a message waits after the first try that failed on it; four times as long after the second.
const NEXT_TRY: Duration = Duration::from_secs(1);
/// How long a message waits for a process of its own where there was none for it: at first, and at most.
const NEXT_PROCESS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(5));
/// Suspects that are passed over try for the place so long, and then it is looked whether others wait.
const PASSED_OVER: Duration = Duration::from_millis(500);
/// The pauses while the database does not answer: doubled from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A message that came to an end.
#[derive(Debug, Clone, PartialEq)]
pub struct DoneMessage {
    /// Its row in the spool.
    pub id: i64,
    /// What became of it.
    pub result: MessageResult,
}

/// A claimed message on its way.
struct InFlight {
    claimed: Arc<ClaimedMessage>,
    /// The memory that it takes is its own until it is filed.
    work: JoinHandle<Evaluation>,
}

/// What came of evaluating a message, and what it still takes.
type Evaluation = (Result<Ready, EvaluateError>, MessageShare);

/// What a message takes for itself until it is filed.
#[derive(Default)]
struct MessageShare {
    #[expect(dead_code, reason = "it is held")]
    memory: Option<WorkerReservation>,
    /// The place for a process of its own, of a suspect.
    place: Option<Arc<ProcessPlace>>,
}

/// What is claimed next.
#[derive(Default)]
struct NextMessages {
    messages: Vec<ClaimedMessage>,
    place: Option<Arc<ProcessPlace>>,
    /// Whether suspects that should come first wait for the place.
    passing_over: bool,
}

/// A run over an account's messages.
pub struct AccountRun<'w> {
    spool: &'w Spool,
    live: &'w Live,
    /// The memory that all runs share.
    room: &'w Arc<WorkerBudget>,
    /// Where those are worked on that were under way at an unclean end.
    alone: &'w Arc<AloneWorker>,
    lease: &'w Lease,
    stop: &'w CancellationToken,
    /// Claimed, and waiting for memory.
    unread: VecDeque<ClaimedMessage>,
    /// The place for what is claimed, where that is a suspect.
    place: Option<Arc<ProcessPlace>>,
    /// Whether suspects have waited for the place too long for the others to wait for them.
    passing_over: bool,
    in_flight: VecDeque<InFlight>,
    in_hand: RunInHand,
    filed: u64,
}

impl<'w> AccountRun<'w> {
    pub fn new(
        (spool, live): (&'w Spool, &'w Live),
        (room, in_hand): (&'w Arc<WorkerBudget>, &MessagesInHand),
        alone: &'w Arc<AloneWorker>,
        lease: &'w Lease,
        stop: &'w CancellationToken,
    ) -> Self {
        Self {
            spool,
            live,
            room,
            alone,
            lease,
            stop,
            unread: VecDeque::new(),
            place: None,
            passing_over: false,
            in_flight: VecDeque::new(),
            in_hand: in_hand.of_run(),
            filed: 0,
        }
    }

    /// Goes on until nothing waits any more, or, when told to stop, until nothing is under way. Gives the number of
    /// messages that ended.
    pub async fn until_empty(mut self, done: &mut (dyn FnMut(DoneMessage) + Send)) -> Result<u64, StoreError> {
        loop {
            let ready = self.next_ready().await;
            let was_empty = ready.is_empty();
            let busy = !was_empty || !self.in_flight.is_empty();
            // Claiming and filing share a commit where the store can.
            let (claimed, ended) = tokio::join!(self.claim(busy), self.file(ready));
            for one in ended? {
                self.filed += 1;
                let id = one.id;
                done(one);
                self.in_hand.told(id);
            }
            if self.unread.is_empty() {
                let claimed = claimed?;
                self.in_hand.take(claimed.messages.iter().map(|message| message.claim.id));
                (self.unread, self.place) = (claimed.messages.into(), claimed.place);
                self.passing_over = claimed.passing_over;
            }
            if self.unread.is_empty() && was_empty && self.in_flight.is_empty() && !self.passing_over {
                return Ok(self.filed);
            }
            self.begin().await?;
        }
    }

    /// Begins to work on what is claimed, as far as there is memory for it.
    async fn begin(&mut self) -> Result<(), StoreError> {
        if let Some(version) =
            self.unread.iter().map(|claimed| claimed.configuration).max_by_key(|version| version.number)
        {
            self.live.at_least(version).await?;
        }
        let room = self.room;
        let mut shares: Vec<WorkerReservation> = Vec::new();
        for ClaimedMessage { size, .. } in &self.unread {
            match room.try_hold(*size) {
                Some(share) => shares.push(share),
                // Other accounts' messages have it. Whoever has some under way itself sees to those first.
                None if shares.is_empty() && self.in_flight.is_empty() => shares.push(room.hold(*size).await),
                None => break,
            }
        }
        let next: Vec<ClaimedMessage> = self.unread.drain(..shares.len()).collect();
        let mut shares: HashMap<Claim, WorkerReservation> =
            next.iter().map(|claimed| claimed.claim).zip(shares).collect();
        for (claimed, raw) in self.spool.read(next).await? {
            let place = self.place.take_if(|_| claimed.suspect);
            let share = MessageShare { memory: shares.remove(&claimed.claim), place };
            self.start(Arc::new(claimed), raw, share);
        }
        if self.unread.is_empty() {
            // Its message could not be read, and is somebody else's by now.
            self.place = None;
        }
        Ok(())
    }

    /// Waits for the oldest message under way, and takes those behind it that are ready as well.
    async fn next_ready(&mut self) -> Vec<(Arc<ClaimedMessage>, Evaluation)> {
        let mut ready = Vec::new();
        while ready.len() < BATCH
            && let Some(front) = self.in_flight.front()
            && (ready.is_empty() || front.work.is_finished())
            && let Some(InFlight { claimed, work }) = self.in_flight.pop_front()
        {
            ready.push((claimed, work.await.unwrap_or((Err(EvaluateError::Lost), MessageShare::default()))));
        }
        ready
    }

    /// Claims what the window has room for; a suspect only when there is the place for it alone, which another account's
    /// may have for minutes: its own account's other messages wait for it for a while only. `busy`: some are under way.
    async fn claim(&self, busy: bool) -> Result<NextMessages, StoreError> {
        let room = WINDOW - self.in_flight.len().min(WINDOW);
        if self.stop.is_cancelled() {
            return Ok(NextMessages::default());
        }
        if room < WINDOW / 2 || !self.unread.is_empty() {
            return Ok(NextMessages { passing_over: self.passing_over, ..NextMessages::default() });
        }
        let claims = self.claim_by(room, SuspectRule::Announced).await?;
        if !claims.suspect_waits {
            return Ok(NextMessages { messages: claims.messages, ..NextMessages::default() });
        }
        if busy && (!self.passing_over || self.alone.places.is_free()) {
            // It comes when those under way have ended.
            return Ok(NextMessages::default());
        }
        if let Some(place) = self.place(busy).await {
            let messages = self.claim_by(room, SuspectRule::First).await?.messages;
            return Ok(NextMessages { messages, place: Some(Arc::new(place)), passing_over: false });
        }
        if self.stop.is_cancelled() {
            return Ok(NextMessages::default());
        }
        let messages = self.claim_by(room, SuspectRule::PassedOver).await?.messages;
        Ok(NextMessages { messages, place: None, passing_over: true })
    }

    /// The place for a suspect, if it is to be had soon; at once where others of the account go on meanwhile.
    async fn place(&self, busy: bool) -> Option<ProcessPlace> {
        let patience = match (busy, self.passing_over) {
            (true, _) => return None,
            (false, true) => PASSED_OVER.min(self.alone.patience),
            (false, false) => self.alone.patience,
        };
        let place = tokio::time::timeout(patience, self.alone.places.take(&self.lease.account));
        self.stop.run_until_cancelled(place).await?.ok()
    }

    async fn claim_by(&self, room: usize, suspects: SuspectRule) -> Result<MessageClaims, StoreError> {
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        let claims = self.spool.claim_by(self.lease, limit, suspects).await?;
        if let Some(first) = claims.messages.first() {
            let (account, messages) = (&first.account, claims.messages.len());
            tracing::debug!(account, messages, suspect = first.suspect, "messages are claimed");
        }
        Ok(claims)
    }

    fn start(&mut self, claimed: Arc<ClaimedMessage>, raw: Bytes, share: MessageShare) {
        let (setup, store) = (self.live.current(), self.spool.store().clone());
        let sandbox = Arc::clone(self.live.sandbox());
        let message = Arc::clone(&claimed);
        let (alone, stop) = (Arc::clone(self.alone), self.stop.clone());
        let place = share.place.clone();
        let work = tokio::spawn(async move {
            let account = message.account.clone();
            let evaluating = async {
                let evaluated = if message.suspect {
                    let first_check = (place, FirstCheck::Due);
                    alone.evaluate((&message, raw), first_check, setup, (&store, &sandbox), &stop).await?
                } else {
                    let (envelope, mode) = (reading::envelope(&message, &setup), evaluate::live(&message));
                    evaluate::evaluate(raw, envelope, mode, setup, &store, sandbox.as_ref()).await?
                };
                Ok::<_, EvaluateError>(Ready { claimed: message, evaluated, may_run_again: true })
            };
            let outcome = caught(WorkKind::Message, &account, evaluating)
                .await
                .unwrap_or_else(|panic| Err(EvaluateError::Panicked(panic)));
            (outcome, share)
        });
        self.in_flight.push_back(InFlight { claimed, work });
    }

    /// Ends messages in their order; gives what became of them. Those that must be tried again, or are another host's
    /// by now, are left out.
    async fn file(&self, attempts: Vec<(Arc<ClaimedMessage>, Evaluation)>) -> Result<Vec<DoneMessage>, StoreError> {
        let mut ended = Vec::new();
        let mut batch = VecDeque::new();
        let mut shares = Vec::with_capacity(attempts.len());
        for (claimed, (outcome, share)) in attempts {
            shares.push(share);
            match outcome {
                Ok(ready) => match &ready.evaluated.run.put_off {
                    Some(put_off) => self.put_off(&ready, put_off).await?,
                    None => batch.push_back(Arc::new(ready)),
                },
                // Not the mail's fault: what is claimed is given back, and begun anew when the database answers.
                Err(EvaluateError::Store(error)) if error.is_temporary() => return Err(error),
                Err(error) => ended.extend(self.not_evaluated(&claimed, error).await?),
            }
        }
        let mut together = BATCH;
        while !batch.is_empty() {
            let next: Vec<Arc<Ready>> = batch.iter().take(together).cloned().collect();
            match self.patiently(|| filing::file(self.spool.store(), next.clone())).await {
                Ok(filed) => {
                    let ready: Vec<Arc<Ready>> = batch.drain(..filed.len().min(next.len())).collect();
                    for (ready, filed) in ready.into_iter().zip(filed) {
                        match filed {
                            FilingResult::Ended(result) => {
                                ended.push(DoneMessage { id: ready.claimed.claim.id, result: *result });
                            }
                            FilingResult::Again(seen) => {
                                // A suspect is claimed alone.
                                let place = shares.iter().find_map(|share| share.place.clone());
                                match self.run_again(&ready, seen.map(|seen| *seen), place).await {
                                    Ok(ready) => batch.push_front(Arc::new(ready)),
                                    Err(error) => ended.extend(self.not_evaluated(&ready.claimed, error).await?),
                                }
                            }
                        }
                    }
                }
                // One of them spoils the transaction: each gets its own.
                Err(_) if next.len() > 1 => together = 1,
                Err(error) => {
                    let Some(ready) = batch.pop_front() else { break };
                    ended.extend(self.give_up(&ready.claimed, error).await?);
                }
            }
        }
        drop(shares);
        self.spool.tell_change();
        Ok(ended)
    }

    /// Runs a message's chain once more: mail filed meanwhile changed which ticket it follows up.
    async fn run_again(
        &self,
        ready: &Ready,
        seen: Option<FollowedTicket>,
        place: Option<Arc<ProcessPlace>>,
    ) -> Result<Ready, EvaluateError> {
        let (setup, opened) = (self.live.current(), ready.evaluated.run.mail.opened().clone());
        let (claimed, sandbox) = (&ready.claimed, self.live.sandbox());
        let running = async {
            if claimed.suspect {
                let raw = opened.message().raw().clone();
                let places = (self.spool.store(), sandbox);
                let made = (place, FirstCheck::Made(Box::new(seen)));
                self.alone.evaluate((claimed, raw), made, setup, places, self.stop).await
            } else {
                evaluate::again(claimed, opened, seen, setup, sandbox.as_ref()).await
            }
        };
        let evaluated = caught(WorkKind::Message, &claimed.account, running).await??;
        // It is first in its account's order now; whatever other accounts file meanwhile, once is enough.
        Ok(Ready { claimed: Arc::clone(&ready.claimed), evaluated, may_run_again: false })
    }

    /// A message alone could not be filed: it is another host's by now, or tried again.
    async fn give_up(&self, claimed: &ClaimedMessage, error: StoreError) -> Result<Option<DoneMessage>, StoreError> {
        match error {
            StoreError::Fenced => {
                tracing::warn!(
                    message = claimed.claim.id,
                    "a message was taken over by another host before it was filed here"
                );
                Ok(None)
            }
            error if error.is_temporary() => Err(error),
            error => self.try_again(claimed, error.to_string(), claimed.suspect).await,
        }
    }

    /// A message waits for its turn, out of the order of arrival as one that is tried again. Not a try of it is used
    /// up.
    async fn put_off(&self, ready: &Ready, put_off: &PutOff) -> Result<(), StoreError> {
        let claimed = &ready.claimed;
        tracing::warn!(
            message = claimed.claim.id,
            source = claimed.source,
            seconds = put_off.pause.as_secs(),
            "{}",
            put_off.reason
        );
        self.patiently(|| ready.evaluated.setup.note_plan(self.spool.store())).await?;
        let mut communication = report::communication(claimed, &ready.evaluated);
        let words = format!("Put off for {} s: {}", put_off.pause.as_secs(), put_off.reason);
        communication.entry(Priority::Warning, "worker", words);
        communication.came_to(MailFate::Waiting);
        let not_before = after(put_off.pause);
        let communication = communication.finish(false);
        let put_off = || self.spool.put_off(claimed.claim, not_before, put_off.reason.clone(), communication.clone());
        match self.patiently(put_off).await {
            Err(StoreError::Fenced) => Ok(()),
            outcome => outcome,
        }
    }

    /// A message was not evaluated: that may say something of it, or nothing at all.
    async fn not_evaluated(
        &self,
        claimed: &ClaimedMessage,
        error: EvaluateError,
    ) -> Result<Option<DoneMessage>, StoreError> {
        let reason = error.to_string();
        match error {
            EvaluateError::Store(error) | EvaluateError::Alone(ProcessEnd::Store(error)) if error.is_temporary() => {
                Err(error)
            }
            // It stays claimed until the lease is given back, which is the next that happens.
            EvaluateError::Alone(ProcessEnd::Stopped) => Ok(None),
            EvaluateError::Alone(ProcessEnd::NotRun(_)) => self.set_aside(claimed, reason).await.map(|()| None),
            EvaluateError::Store(_) if claimed.suspect => {
                let reason = format!("What its process is to be given could not be read: {reason}");
                self.set_aside(claimed, reason).await.map(|()| None)
            }
            EvaluateError::Alone(ProcessEnd::Died(what)) => {
                supervision::died(WorkKind::Message, &claimed.account, &what);
                self.try_again(claimed, reason, true).await
            }
            // Where it broke before, it breaks nothing else.
            EvaluateError::Alone(ProcessEnd::Panicked(_)) => self.try_again(claimed, reason, true).await,
            // Only a try that went well clears a suspect.
            _ => self.try_again(claimed, reason, claimed.suspect).await,
        }
    }

    /// There was no process for a message: it waits for one, out of the order of arrival. Nothing is said of it.
    async fn set_aside(&self, claimed: &ClaimedMessage, reason: String) -> Result<(), StoreError> {
        let whose = evaluate::process_of(claimed);
        let pause = supervision::not_begun(WorkKind::MessageProcess, &whose, &reason, NEXT_PROCESS);
        let (message, source, seconds) = (claimed.claim.id, &claimed.source, pause.as_secs());
        tracing::warn!(message, source, "{reason} It is tried again in {seconds} s.");
        let not_before = after(pause);
        match self.patiently(|| self.spool.set_aside(claimed.claim, not_before, reason.clone())).await {
            Err(StoreError::Fenced) => Ok(()),
            outcome => outcome,
        }
    }

    /// A try failed on the message itself. `suspect`: the next one is in a process of its own.
    async fn try_again(
        &self,
        claimed: &ClaimedMessage,
        reason: String,
        suspect: bool,
    ) -> Result<Option<DoneMessage>, StoreError> {
        tracing::error!(
            message = claimed.claim.id,
            source = claimed.source,
            reason,
            "a message could not be worked on"
        );
        let failed = claimed.failures.saturating_add(1).min(10);
        let (spool, id, not_before) = (self.spool, claimed.claim.id, after(NEXT_TRY * failed * failed));
        let failure = || MessageFailure { claim: claimed.claim, not_before, reason: reason.clone(), suspect };
        match self.patiently(|| spool.failed(failure())).await {
            Ok(SpoolStatus::Held) => {
                let stored = spool.results(&[id]).await?.remove(&id).and_then(|message| message.result);
                let result = stored.unwrap_or_else(|| MessageResult::held(&claimed.source, reason));
                Ok(Some(DoneMessage { id, result }))
            }
            Ok(_) | Err(StoreError::Fenced) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Repeats what a database that does not answer kept from being done, with pauses; not when told to stop.
    async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        work: impl Fn() -> F,
    ) -> Result<T, StoreError> {
        let (mut pause, longest) = PAUSES;
        loop {
            match work().await {
                Err(error) if error.is_temporary() && !self.stop.is_cancelled() => {
                    tracing::warn!(%error, "the database does not answer; tried again in {} ms", pause.as_millis());
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.stop.cancelled() => {}
                    }
                    pause = (pause * 2).min(longest);
                }
                outcome => return outcome,
            }
        }
    }
}

/// So long from now, in milliseconds since the epoch.
fn after(pause: Duration) -> i64 {
    postigo_model::timestamp::now().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX))
}
