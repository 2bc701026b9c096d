//! The loop that sends: looks for mails whose time has come, as many at once as their transports allow.

use super::attempt::{self, Means, Transported, Tried};
use super::choose::choose;
use super::{OutgoingStatus, pool::Pool};
use crate::commlog::now;
use crate::config::{Configuration, Transport};
use crate::metrics::Metrics;
use crate::oauth2::Tokens;
use crate::pause;
use crate::store::leases::Host;
use crate::store::outgoing::{self, Claim, Claimed, Claiming, ForTransport, Outcome};
use crate::store::{Store, StoreError};
use crate::worker::Setup;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// So often is looked for mails whose time has come; other processes put some into the queue too.
const LOOKS_EVERY: Duration = Duration::from_millis(250);
/// So often are claims renewed, lapsed ones taken back, and idle connections closed.
const KEEPS_EVERY: Duration = Duration::from_secs(10);
/// So many mails get their transport at once.
const CHOSEN_AT_ONCE: u32 = 256;
/// The pauses of a transport that cannot be reached: from the first to the longest.
const UNREACHABLE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// What the loop works with.
pub struct Tools {
    /// The queue.
    pub store: Store,
    /// Who works here.
    pub host: Host,
    /// What is signed in with.
    pub tokens: Arc<Tokens>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Notified when this process has put mails into the queue.
    pub woken: Arc<Notify>,
}

/// How a transport does.
#[derive(Default)]
struct State {
    busy: u32,
    failures: u32,
    paused_until: Option<Instant>,
}

struct Sender {
    tools: Tools,
    means: Means,
    transports: BTreeMap<String, Transport>,
    states: BTreeMap<String, State>,
    sending: JoinSet<Tried>,
    /// Transport and claim token of what is being sent.
    claims: HashMap<Id, (String, String)>,
    warned: bool,
    kept: Option<Instant>,
}

/// Sends until `stop`; what is under way then is ended still.
pub async fn run(tools: Tools, configured: impl Fn() -> Arc<Setup>, stop: CancellationToken) {
    let means = Means::new(tools.store.clone(), Arc::clone(&tools.tokens));
    let mut sender = Sender {
        tools,
        means,
        transports: BTreeMap::new(),
        states: BTreeMap::new(),
        sending: JoinSet::new(),
        claims: HashMap::new(),
        warned: false,
        kept: None,
    };
    let mut failures = 0;
    while !stop.is_cancelled() {
        let setup = configured();
        let wait = match sender.look(&setup.configuration).await {
            Ok(found) => {
                failures = 0;
                if found { Duration::ZERO } else { LOOKS_EVERY }
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(%error, "the outgoing queue could not be looked at; nothing is lost");
                pause::after_failures(failures, LOOKS_EVERY, Duration::from_secs(5))
            }
        };
        sender.wait(wait, &stop).await;
    }
    while !sender.sending.is_empty() {
        sender.ended().await;
        // Renewed still: a large mail may take longer than a claim lasts.
        sender.keep().await;
    }
    attempt::save(&sender.tools.store, sender.means.pool.close(true).await).await;
}

impl Sender {
    /// Looks for work and begins it; says whether there was any.
    async fn look(&mut self, configuration: &Configuration) -> Result<bool, StoreError> {
        self.take_up(configuration).await?;
        self.keep().await;
        let wanted = self.wanted();
        let mut connection = self.tools.store.read().await?;
        let open = outgoing::unassigned(&mut connection, CHOSEN_AT_ONCE).await?;
        if self.transports.is_empty() {
            self.warn_without_transport(!open.is_empty());
            return Ok(false);
        }
        let chosen: Vec<(i64, String)> = open
            .into_iter()
            .filter_map(|(id, sender, queue)| choose(configuration, &sender, &queue).map(|transport| (id, transport.name.clone())))
            .collect();
        let names: Vec<&str> = wanted.iter().map(|wanted| wanted.name.as_str()).collect();
        let engine = self.tools.store.engine();
        if chosen.is_empty() && (names.is_empty() || !outgoing::is_any_waiting(&mut connection, engine, &names).await?) {
            return Ok(false);
        }
        drop(connection);
        let claiming = Claiming { engine, host: self.tools.host.id.clone(), chosen, transports: wanted };
        let claimed = self.tools.store.write(claiming, |claiming, connection| Box::pin(outgoing::claim(connection, claiming))).await?;
        let found = !claimed.is_empty();
        let retries = &configuration.settings.outbound;
        for claimed in claimed {
            self.begin(claimed, retries);
        }
        Ok(found)
    }

    /// Takes up a changed configuration: the waiting mails get their transports anew.
    async fn take_up(&mut self, configuration: &Configuration) -> Result<(), StoreError> {
        let valid = configuration.transports.iter().filter(|(_, transport)| transport.valid.is_valid());
        let transports: BTreeMap<String, Transport> = valid.map(|(name, transport)| (name.clone(), transport.clone())).collect();
        if transports == self.transports && self.kept.is_some() {
            return Ok(());
        }
        if self.kept.is_none() {
            // The claims of an earlier run on this data folder are nobody's any more.
            self.recover(true).await?;
        }
        self.tools.store.write((), |(), connection| Box::pin(outgoing::unassign(connection))).await?;
        for (name, transport) in &transports {
            if self.transports.get(name) != Some(transport) {
                // What was wrong may be right now.
                let state = self.states.entry(name.clone()).or_default();
                (state.failures, state.paused_until) = (0, None);
            }
        }
        self.transports = transports;
        Ok(())
    }

    async fn recover(&self, own: bool) -> Result<(), StoreError> {
        let host = own.then(|| self.tools.host.id.clone());
        let input = (self.tools.store.engine(), host, now());
        let recovered = self
            .tools
            .store
            .write(input, |(engine, host, now), connection| Box::pin(outgoing::recover(connection, *engine, host.as_deref(), *now)))
            .await?;
        if recovered > 0 {
            tracing::warn!(mails = recovered, "a process ended while it sent mails; they are taken up again");
        }
        Ok(())
    }

    /// What has to be done now and then.
    async fn keep(&mut self) {
        if self.kept.is_some_and(|kept| kept.elapsed() < KEEPS_EVERY) {
            return;
        }
        self.kept = Some(Instant::now());
        let tokens: Vec<String> = self.claims.values().map(|(_, token)| token.clone()).collect();
        let renewed = self
            .tools
            .store
            .write((self.tools.store.engine(), tokens), |(engine, tokens), connection| {
                Box::pin(outgoing::renew(connection, *engine, tokens))
            })
            .await;
        let recovered = self.recover(false).await;
        if let Err(error) = renewed.and(recovered) {
            tracing::warn!(%error, "claims on outgoing mails could not be renewed");
        }
        let pool: &Pool = &self.means.pool;
        attempt::save(&self.tools.store, pool.close(false).await).await;
    }

    /// How many mails each transport can take. One that cannot be reached gets a single mail when its pause is over.
    fn wanted(&self) -> Vec<ForTransport> {
        let now = Instant::now();
        let free = |(name, transport): (&String, &Transport)| {
            let state = self.states.get(name);
            let (busy, failures) = state.map_or((0, 0), |state| (state.busy, state.failures));
            let paused = state.and_then(|state| state.paused_until).is_some_and(|until| now < until);
            let most = if failures > 0 { 1 } else { transport.connections };
            let limit = if paused { 0 } else { most.saturating_sub(busy) };
            (limit > 0).then(|| ForTransport { name: name.clone(), limit })
        };
        self.transports.iter().filter_map(free).collect()
    }

    fn warn_without_transport(&mut self, waiting: bool) {
        if waiting && !self.warned {
            tracing::warn!("mails wait to be sent, and there is no valid transport; configure one ([[transport]])");
        }
        self.warned = waiting;
    }

    fn begin(&mut self, claimed: Claimed, retries: &crate::config::Retries) {
        let Some(transport) = self.transports.get(&claimed.transport) else { return };
        self.states.entry(claimed.transport.clone()).or_default().busy += 1;
        let names = (claimed.transport.clone(), claimed.claim.token.clone());
        let task = self.sending.spawn(attempt_and_settle(
            self.means.clone(),
            transport.clone(),
            retries.clone(),
            claimed,
            Arc::clone(&self.tools.metrics),
        ));
        self.claims.insert(task.id(), names);
    }

    /// Waits for the next thing to do: a mail was sent, or it is time to look again.
    async fn wait(&mut self, wait: Duration, stop: &CancellationToken) {
        let is_sending = !self.sending.is_empty();
        let woken = Arc::clone(&self.tools.woken);
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.ended(), if is_sending => {}
            () = woken.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// Waits until a try has ended, and notes how its transport does.
    async fn ended(&mut self) {
        let (id, transported) = match self.sending.join_next_with_id().await {
            Some(Ok((id, tried))) => (id, tried.transport),
            Some(Err(error)) => {
                tracing::error!(%error, "sending a mail ended unexpectedly; its claim lapses");
                (error.id(), Transported::Unknown)
            }
            None => return,
        };
        let Some((name, _)) = self.claims.remove(&id) else { return };
        let state = self.states.entry(name.clone()).or_default();
        state.busy = state.busy.saturating_sub(1);
        match transported {
            Transported::Unknown => {}
            // Several mails under way that fail together tell the same once.
            Transported::Unreachable(_) if state.paused_until.is_some_and(|until| Instant::now() < until) => {}
            Transported::Unreachable(why) => {
                state.failures = state.failures.saturating_add(1);
                let pause = pause::after_failures(state.failures, UNREACHABLE.0, UNREACHABLE.1);
                state.paused_until = Some(Instant::now() + pause);
                if state.failures == 1 {
                    tracing::warn!(transport = name, why, "a transport cannot be used; its mails wait, and it is tried again and again");
                }
            }
            Transported::Works => {
                if state.failures > 0 {
                    tracing::info!(transport = name, "a transport can be used again");
                }
                (state.failures, state.paused_until) = (0, None);
            }
        }
    }
}

/// Tries, and writes what came of it, however long that takes: a mail that went out and is not known to would go out again.
async fn attempt_and_settle(
    means: Means,
    transport: Transport,
    retries: crate::config::Retries,
    claimed: Claimed,
    metrics: Arc<Metrics>,
) -> Tried {
    let store = means.store.clone();
    let tried = attempt::attempt(means, transport, retries, claimed).await;
    settle(&store, &tried.outcome, &metrics).await;
    tried
}

pub(super) async fn settle(store: &Store, outcome: &Outcome, metrics: &Metrics) {
    let id = outcome.claim.id;
    let mut failures = 0;
    loop {
        match store.write(outcome.clone(), |outcome, connection| Box::pin(outgoing::settle(connection, outcome))).await {
            Ok(status) => {
                metrics.outgoing_done(status);
                tell(id, status, outcome);
                return;
            }
            Err(StoreError::Fenced) => {
                tracing::warn!(id, "another process has taken over this outgoing mail; what this one did is not recorded");
                return;
            }
            Err(error) if error.is_temporary() => {
                failures += 1;
                tracing::warn!(id, %error, "what became of an outgoing mail could not be written; tried again");
                tokio::time::sleep(pause::after_failures(failures, Duration::from_millis(100), Duration::from_secs(2))).await;
            }
            Err(error) => {
                tracing::error!(id, %error, "what became of an outgoing mail could not be written; it is not sent again by itself");
                return park(store, &outcome.claim, &error).await;
            }
        }
    }
}

/// Ends a mail of which it cannot be written what became of it: were its claim to lapse, it would go out again.
async fn park(store: &Store, claim: &Claim, why: &StoreError) {
    let why = format!("What became of this mail could not be written; it may have arrived or not: {why}");
    let mut failures = 0;
    loop {
        let input = (claim.clone(), why.clone(), now());
        match store.write(input, |(claim, why, now), connection| Box::pin(outgoing::park(connection, claim, why, *now))).await {
            Err(error) if error.is_temporary() => {
                failures += 1;
                tokio::time::sleep(pause::after_failures(failures, Duration::from_millis(100), Duration::from_secs(2))).await;
            }
            Err(error) => return tracing::error!(id = claim.id, %error, "an outgoing mail could not be ended; it may go out again"),
            Ok(()) => return,
        }
    }
}

fn tell(id: i64, status: OutgoingStatus, outcome: &Outcome) {
    let error = &outcome.error;
    match status {
        OutgoingStatus::Sent => tracing::info!(id, "sent"),
        OutgoingStatus::Waiting if !outcome.counts => tracing::debug!(id, error, "not sent yet"),
        OutgoingStatus::Waiting => tracing::info!(id, error, "not sent yet; it will be tried again"),
        _ => tracing::warn!(id, error, %status, "not sent"),
    }
}
