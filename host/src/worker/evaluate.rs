//! One message from its bytes to what the chain made of it: read, first follow-up check, chain.

use super::LiveConfiguration;
use super::alone::{AloneJob, MessageProcess, ProcessEnd, ProcessPlace, ProcessPlaces};
use super::reading::{self, ReadMessage};
use crate::chain::{self, ChainRun, Job, LazySandbox, Mode, NeededComponents, Sandbox};
use crate::store::{Store, StoreError, tickets};
use bytes::Bytes;
use postigo_mail::{DroppedHeader, Envelope, OpenedMessage};
use postigo_model::spool::ClaimedMessage;
use postigo_model::ticket::FollowUpSearch;
use postigo_model::ticket::FollowedTicket;
use postigo_supervision as supervision;
use postigo_supervision::{Panic, WorkKind, blocking};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// One message in so many has its screenings checked against full evaluations.
const CHECKED: i64 = 1_000;
/// What ends well alone takes less.
const PATIENCE: Duration = Duration::from_secs(10);

/// A message that the chain has seen.
pub struct EvaluatedMessage {
    /// What was in force.
    pub setup: Arc<LiveConfiguration>,
    /// The chain's work; the mail is in it.
    pub run: ChainRun,
    /// The mail's own headers that took no effect.
    pub dropped: Vec<DroppedHeader>,
    /// What the first follow-up check looked for.
    pub search: FollowUpSearch,
    /// What it found: the ticket that the filters saw.
    pub seen: Option<FollowedTicket>,
    /// When work on it began, in milliseconds since the epoch.
    pub begun: i64,
}

/// Why a message could not be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The first follow-up check.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The thread that worked on it ended.
    #[error("The thread that worked on this message ended before it was done.")]
    Lost,
    /// The code that works on it broke.
    #[error("Working on this message panicked: {0}. This is a fault of Postigo: please report it.")]
    Panicked(#[from] Panic),
    /// The process of its own that it was worked on in.
    #[error(transparent)]
    Alone(#[from] ProcessEnd),
}

/// The first follow-up check of a message.
pub enum FirstCheck {
    /// It is to be made.
    Due,
    /// It was made, and found this.
    Made(Box<Option<FollowedTicket>>),
}

/// Where messages are worked on in processes of their own, one at a time a host.
pub struct AloneWorker {
    process: Arc<dyn MessageProcess>,
    /// For which there is one place.
    pub places: Arc<ProcessPlaces>,
    /// So long an account's mail waits for those before it that are to run alone, while other accounts' have the place;
    /// then it goes before them.
    pub patience: Duration,
}

impl AloneWorker {
    /// In such processes.
    pub fn of(process: impl MessageProcess + 'static) -> Self {
        Self { process: Arc::new(process), places: Arc::default(), patience: PATIENCE }
    }

    /// Takes a claimed message through the chain in a process of its own, and then reads it here, where it is known to
    /// be harmless. Without the place for it, that is waited for.
    pub async fn evaluate(
        &self,
        (claimed, raw): (&ClaimedMessage, Bytes),
        (place, first_check): (Option<Arc<ProcessPlace>>, FirstCheck),
        setup: Arc<LiveConfiguration>,
        (store, sandbox): (&Store, &Arc<LazySandbox>),
        stop: &CancellationToken,
    ) -> Result<EvaluatedMessage, EvaluateError> {
        let place = match place {
            Some(place) => place,
            None => match stop.run_until_cancelled(self.places.take(&claimed.account)).await {
                Some(place) => Arc::new(place),
                None => return Err(ProcessEnd::Stopped.into()),
            },
        };
        let begun = postigo_model::timestamp::now();
        let mode = match first_check {
            FirstCheck::Due => live(claimed),
            FirstCheck::Made(_) => in_its_turn(claimed),
        };
        let needed = NeededComponents::of(setup.configuration.valid_filters(), store, sandbox).await?;
        let envelope = reading::envelope(claimed, &setup);
        let job = AloneJob {
            message: claimed.claim.id,
            raw: raw.clone(),
            envelope: envelope.clone(),
            mode,
            setup: Arc::clone(&setup),
            components: needed.by_digest(),
        };
        let (process, store, stop) = (Arc::clone(&self.process), store.clone(), stop.clone());
        let runtime = Handle::current();
        let ran = blocking(WorkKind::Message, &claimed.account, move || {
            // However this ends, there is no other process before it has.
            let _place = place;
            let mut found = None;
            let mut look_up = |search| {
                let seen = match &first_check {
                    FirstCheck::Made(seen) => (**seen).clone(),
                    FirstCheck::Due => runtime.block_on(followed(&store, &search))?,
                };
                found.clone_from(&seen);
                Ok(seen)
            };
            let record = process.run(&job, &mut look_up, &stop)?;
            Ok::<_, ProcessEnd>((record, found))
        });
        let ran = ran.await?;
        if !matches!(ran, Err(ProcessEnd::NotRun(_) | ProcessEnd::Stopped)) {
            supervision::well(WorkKind::MessageProcess, &process_of(claimed));
        }
        let (record, seen) = ran?;
        on_guest_thread(sandbox.as_ref(), move || {
            let ReadMessage { mut mail, dropped, search } = reading::read(reading::open(raw), envelope, &setup);
            mail.set_ticket(seen.clone());
            let run = record.apply(&setup.plan, Box::new(mail));
            EvaluatedMessage { setup, run, dropped, search, seen, begun }
        })
        .await
    }
}

/// What a message's process is called where it is told that there is none.
pub fn process_of(claimed: &ClaimedMessage) -> String {
    format!("{}: message {}", claimed.account, claimed.claim.id)
}

/// The ticket that a mail follows up, as its filters see it.
async fn followed(store: &Store, search: &FollowUpSearch) -> Result<Option<FollowedTicket>, StoreError> {
    if search.candidates.is_empty() {
        return Ok(None);
    }
    let found = tickets::find_follow_up(&mut *store.read().await?, search).await?;
    Ok(found.follow_up.map(|found| found.ticket.followed()))
}

/// How the chain of a message is run that is first in its account's order: those behind it wait for it.
fn in_its_turn(claimed: &ClaimedMessage) -> Mode {
    Mode::Live { check_screening: claimed.claim.id % CHECKED == 0, put_off_before: true }
}

/// How the chain of a claimed message is run.
pub fn live(claimed: &ClaimedMessage) -> Mode {
    Mode::Live { check_screening: claimed.claim.id % CHECKED == 0, put_off_before: claimed.put_off }
}

/// Takes a message through the chain, under the setup given.
pub async fn evaluate(
    raw: Bytes,
    envelope: Envelope,
    mode: Mode,
    setup: Arc<LiveConfiguration>,
    store: &Store,
    sandbox: &dyn Sandbox,
) -> Result<EvaluatedMessage, EvaluateError> {
    let in_force = Arc::clone(&setup);
    // Most mails follow up nothing, and go on to the chain on the same thread.
    let first = on_guest_thread(sandbox, move || {
        let begun = postigo_model::timestamp::now();
        let reading = reading::read(reading::open(raw), envelope, &in_force);
        if reading.search.candidates.is_empty() {
            Ok(through_chain(begun, reading, None, in_force, mode))
        } else {
            Err((begun, Box::new(reading)))
        }
    });
    let (begun, reading) = match first.await? {
        Ok(evaluated) => return Ok(tried_afterwards(evaluated, sandbox)),
        Err(unevaluated) => unevaluated,
    };
    let seen = followed(store, &reading.search).await?;
    let evaluated = on_guest_thread(sandbox, move || through_chain(begun, *reading, seen, setup, mode)).await?;
    Ok(tried_afterwards(evaluated, sandbox))
}

/// Takes a claimed message through the chain once more, as it was opened for the first run, with the ticket that it
/// follows up by now.
pub async fn again(
    claimed: &ClaimedMessage,
    opened: OpenedMessage,
    seen: Option<FollowedTicket>,
    setup: Arc<LiveConfiguration>,
    sandbox: &dyn Sandbox,
) -> Result<EvaluatedMessage, EvaluateError> {
    let envelope = reading::envelope(claimed, &setup);
    let mode = in_its_turn(claimed);
    let evaluated = on_guest_thread(sandbox, move || {
        let begun = postigo_model::timestamp::now();
        through_chain(begun, reading::read(opened, envelope, &setup), seen, setup, mode)
    });
    Ok(tried_afterwards(evaluated.await?, sandbox))
}

/// Begins the trials that the chain asked for. The message does not wait for them.
fn tried_afterwards(mut evaluated: EvaluatedMessage, sandbox: &dyn Sandbox) -> EvaluatedMessage {
    for trial in evaluated.run.trials.drain(..) {
        let setup = Arc::clone(&evaluated.setup);
        sandbox.execute(Box::new(move || trial.run(&setup.vocabulary)));
    }
    evaluated
}

fn through_chain(
    begun: i64,
    reading: ReadMessage,
    seen: Option<FollowedTicket>,
    setup: Arc<LiveConfiguration>,
    mode: Mode,
) -> EvaluatedMessage {
    let ReadMessage { mut mail, dropped, search } = reading;
    mail.set_ticket(seen.clone());
    let run = chain::run(&setup.plan, &setup.vocabulary, Box::new(mail), mode);
    EvaluatedMessage { setup, run, dropped, search, seen, begun }
}

async fn on_guest_thread<T: Send + 'static>(
    sandbox: &dyn Sandbox,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, EvaluateError> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let job: Job = Box::new(move || {
        // Whoever asked may be gone; then nobody wants the answer.
        let _ = sender.send(work());
    });
    sandbox.execute(job);
    receiver.await.map_err(|_| EvaluateError::Lost)
}
