//! Listens for the mail that others bring, at every endpoint that a valid account names. Every daemon does so on its
//! own machine, whichever holds the account: what it takes in is durable in the database that they share.

use crate::inbound::lmtp::{BoundSocket, Listener, Policy, SessionLimits, SpoolSink};
use crate::metrics::Metrics;
use crate::spool::Spool;
use crate::worker::{Live, LiveConfiguration};
use postigo_model::configured::{Configuration, Dialect, Endpoint, Tls};
use postigo_net::listen::{Acceptance, ConnectionLimits, Descriptors, IntakeBudget, Places};
use postigo_supervision as supervision;
use postigo_supervision::back_off;
use postigo_supervision::{SupervisedTask, WorkKind};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// So often is looked whether another endpoint is wanted.
const LOOKS_EVERY: Duration = Duration::from_millis(250);
/// The pause after a first failure to listen, …
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// … and the longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What a listener works with.
#[derive(Clone)]
pub struct ListenTools<C> {
    /// Where messages become durable.
    pub spool: Spool,
    /// What is looked into before each message: none is taken in as it was configured before.
    pub live: Arc<Live>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// The memory for messages on their way in.
    pub room: Arc<IntakeBudget>,
    /// What all listeners share.
    pub descriptors: Arc<Descriptors>,
    /// Connections of each listener.
    pub most: ConnectionLimits,
    /// A client that says no whole command within this time is told goodbye.
    pub command: Duration,
    /// What is configured now.
    pub configured: C,
}

/// What a listener is like; a changed one is started anew.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ListenerSetup {
    dialect: Dialect,
    tls: Tls,
}

struct ListenTask {
    wanted: ListenerSetup,
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

/// Listens until `stop`; messages on their way are taken to their end.
pub async fn run<C>(tools: ListenTools<C>, stop: CancellationToken)
where
    C: Fn() -> Arc<LiveConfiguration> + Clone + Send + Sync + 'static,
{
    let supervised = SupervisedTask::new(WorkKind::Listeners, "", stop.clone()).resting_at_most(LONGEST_PAUSE);
    let mut tasks: BTreeMap<Endpoint, ListenTask> = BTreeMap::new();
    let mut ending: Vec<JoinHandle<()>> = Vec::new();
    let mut changes = tools.live.changes();
    while !stop.is_cancelled() {
        let looked =
            async { adapt(&tools, wanted(&(tools.configured)().configuration), &mut tasks, &mut ending, &stop) };
        if supervised.round(looked).await.is_err() {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            _ = changes.changed() => {}
            () = tokio::time::sleep(LOOKS_EVERY) => {}
        }
    }
    ending.extend(tasks.into_values().map(|task| task.ended));
    for task in ending {
        // A task that panicked has told so.
        let _ = task.await;
    }
}

/// Ends what is wanted no more, or otherwise; begins what is missing.
fn adapt<C>(
    tools: &ListenTools<C>,
    wanted: BTreeMap<Endpoint, ListenerSetup>,
    tasks: &mut BTreeMap<Endpoint, ListenTask>,
    ending: &mut Vec<JoinHandle<()>>,
    stop: &CancellationToken,
) where
    C: Fn() -> Arc<LiveConfiguration> + Clone + Send + Sync + 'static,
{
    for (_, task) in tasks.extract_if(.., |endpoint, task| wanted.get(endpoint) != Some(&task.wanted)) {
        task.stop.cancel();
        ending.push(task.ended);
    }
    for (endpoint, wanted) in wanted {
        tasks.entry(endpoint.clone()).or_insert_with(|| {
            let stop = stop.child_token();
            let supervised = SupervisedTask::new(WorkKind::Listener, endpoint.to_string(), stop.clone())
                .resting_at_most(LONGEST_PAUSE);
            let (tools, one) = (tools.clone(), (wanted.clone(), stop.clone()));
            let listening =
                supervised.keep(move || listen(tools.clone(), endpoint.clone(), one.0.clone(), one.1.clone()));
            ListenTask { wanted, stop, ended: tokio::spawn(listening) }
        });
    }
    ending.retain(|task| !task.is_finished());
}

/// The endpoints of the valid accounts; of several at one, the first with a certificate gives it.
fn wanted(configuration: &Configuration) -> BTreeMap<Endpoint, ListenerSetup> {
    let mut wanted: BTreeMap<Endpoint, ListenerSetup> = BTreeMap::new();
    let valid = configuration.accounts.values().filter(|account| account.valid.is_valid());
    for (account, listener) in valid.filter_map(|account| Some((account, account.source().listener()?))) {
        let this = of(&account.tls, listener.dialect);
        wanted
            .entry(listener.endpoint)
            .and_modify(|there| {
                if there.tls.certificate.is_empty() {
                    there.tls = this.tls.clone();
                }
            })
            .or_insert(this);
    }
    wanted
}

fn of(tls: &Tls, dialect: Dialect) -> ListenerSetup {
    let tls = Tls { certificate: tls.certificate.clone(), key: tls.key.clone(), ..Tls::default() };
    ListenerSetup { dialect, tls }
}

/// Listens at one endpoint; where that fails it is tried again.
async fn listen<C>(tools: ListenTools<C>, endpoint: Endpoint, wanted: ListenerSetup, stop: CancellationToken)
where
    C: Fn() -> Arc<LiveConfiguration> + Clone + Send + Sync + 'static,
{
    let mut failures = 0;
    let bound = loop {
        match BoundSocket::to(&endpoint).await {
            Ok(bound) => break bound,
            Err(error) => {
                failures += 1;
                // The first may be due to a listener that is just ending.
                if failures == 2 {
                    tracing::error!(%error, "mail that others bring is not taken; it is tried again");
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(back_off::after_failures(failures, FIRST_PAUSE, LONGEST_PAUSE)) => {}
                }
            }
        }
    };
    tracing::info!(%endpoint, protocol = wanted.dialect.name(), "listens");
    supervision::well(WorkKind::Listener, &endpoint.to_string());
    let policy = kept_policy(tools.configured, endpoint.clone());
    let (name, figures) = (endpoint.to_string(), tools.metrics.listeners().clone());
    let places = Places::of(&name, tools.most, &tools.descriptors, figures.clone());
    let acceptance = Acceptance::of(name, figures);
    let sink = Arc::new(SpoolSink::new(endpoint, tools.spool, tools.metrics, tools.live, policy));
    let limits = SessionLimits { room: tools.room, command: tools.command, ..SessionLimits::default() };
    Listener { dialect: wanted.dialect, tls: wanted.tls, sink, places, acceptance, limits }.serve(bound, stop).await;
}

/// The policy of an endpoint, made anew when the configuration has changed.
fn kept_policy<C: Fn() -> Arc<LiveConfiguration>>(configured: C, endpoint: Endpoint) -> impl Fn() -> Arc<Policy> {
    let kept: Mutex<Option<(Arc<LiveConfiguration>, Arc<Policy>)>> = Mutex::default();
    move || {
        let now = configured();
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((setup, policy)) if Arc::ptr_eq(setup, &now) => Arc::clone(policy),
            _ => {
                let policy = Arc::new(Policy::of(&now.configuration, &endpoint));
                *kept = Some((now, Arc::clone(&policy)));
                policy
            }
        }
    }
}
