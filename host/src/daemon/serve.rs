//! Running the daemon: everything is started, kept going, and ended in order.

use super::fetching::{self, FetchTools};
use super::shares::Shares;
use super::{jobs, listening, overview, presence, retention, signing_in, summing, working};
use crate::answer;
use crate::inbound::lmtp::host_name;
use crate::jobs::{JobTools, KINDS, NOTED, Pace, Runner};
use crate::machine::Machine;
use crate::metrics::Metrics;
use crate::oauth2::{OAuth2Error, Tokens};
use crate::outbound;
use crate::secret_key::SecretKey;
use crate::spool::Spool;
use crate::spool::leases;
use crate::store::StoreError;
use crate::worker::{DoneMessage, Live, Worker};
use crate::worker::{LockError, WorkLock};
use postigo_net::listen::{ConnectionLimits, Descriptors, IntakeBudget};
use postigo_supervision::back_off;
use postigo_supervision::{SupervisedTask, WorkKind};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// So often is looked whether the configuration changed.
const CONFIGURATION_EVERY: Duration = Duration::from_millis(250);
/// The longest pause before it is looked again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// So often is old log removed.
const PURGED_EVERY: Duration = Duration::from_hours(1);
/// What is being taken in when the daemon is told to stop has so long to end: a server or a client that is silent must
/// not hold up the rest.
const INTAKE_ENDS_WITHIN: Duration = Duration::from_secs(8);
/// What is worked on and sent then has so long to end.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// Why the daemon could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another one runs.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The port is taken, or not ours to take.
    #[error("The address {address} cannot be listened on: {reason}. Name another with --listen.")]
    Listen {
        /// As asked for.
        address: SocketAddr,
        /// Why.
        reason: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tokens of accounts and transports.
    #[error(transparent)]
    OAuth2(#[from] OAuth2Error),
    /// The operating system.
    #[error("The daemon could not be started: {0}")]
    System(#[from] io::Error),
}

/// A daemon that is about to run.
pub struct Daemon {
    /// Says that it is the one of its folder.
    pub lock: WorkLock,
    /// Where messages become durable.
    pub spool: Spool,
    /// What the database's secrets are sealed with.
    pub key: SecretKey,
    /// What is configured, and its chain.
    pub live: Arc<Live>,
    /// Where REST is served.
    pub listen: SocketAddr,
    /// The commands and folders of this machine that the configuration may use.
    pub machine: Machine,
    /// What clients of listeners may do.
    pub clients: Clients,
}

/// What clients of listeners may do, of REST and of those who bring mail.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Connections of each listener.
    pub most: ConnectionLimits,
    /// A client of REST that brings no whole head of a request within this time is gone.
    pub head: Duration,
    /// A client of LMTP or SMTP that says no whole command within this time is told goodbye.
    pub command: Duration,
    /// Names of this machine's REST listener besides its own.
    pub hosts: Vec<String>,
}

/// What those who ask the daemon are answered from, until `ends`.
pub struct Front {
    /// Where they come in.
    pub listener: TcpListener,
    /// The listener's address.
    pub address: SocketAddr,
    /// Where messages become durable.
    pub spool: Spool,
    /// What the database's secrets are sealed with.
    pub key: SecretKey,
    /// The tokens of accounts and transports.
    pub tokens: Arc<Tokens>,
    /// What is configured, and its chain.
    pub live: Arc<Live>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The commands and folders of this machine that the configuration may use.
    pub machine: Arc<Machine>,
    /// What clients may do.
    pub clients: Clients,
    /// The descriptors that listeners share.
    pub descriptors: Arc<Descriptors>,
    /// Another daemon with this one's id, if there is one: a sentence.
    pub namesake: watch::Receiver<Option<String>>,
    /// When answering ends.
    pub ends: CancellationToken,
}

impl Daemon {
    /// Runs until SIGTERM or SIGINT, with a `front` that answers those who ask; `ready` is told the address that is
    /// listened on. What is under way is ended, leases are given back.
    pub async fn run<F>(self, front: impl FnOnce(Front) -> F, ready: impl FnOnce(SocketAddr)) -> Result<(), ServeError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let listener = TcpListener::bind(self.listen)
            .await
            .map_err(|reason| ServeError::Listen { address: self.listen, reason })?;
        let address = listener.local_addr()?;
        let host = self.lock.host().clone();
        let store = self.spool.store().clone();
        let metrics = Arc::new(Metrics::new());
        let descriptors = Descriptors::raised();
        metrics.listeners().descriptors(&descriptors);
        // Intake ends first, then the work on what was taken in, then the answers to those who ask.
        let (intake_ends, all_ends) = (CancellationToken::new(), CancellationToken::new());

        let shares = Shares::new(store.clone(), host.clone());
        let held = shares.watch();
        let live = Arc::clone(&self.live);
        let accounts = move || live.current().configuration.accounts.keys().cloned().collect();
        let keeping = tokio::spawn(shares.keep(accounts, all_ends.clone()));

        let live = Arc::clone(&self.live);
        let tokens = Tokens::new(store.clone(), self.key.clone());
        // Before anybody can change where secrets go.
        tokens.bind(&self.live.current().configuration).await?;
        let machine = Arc::new(self.machine);
        let tools = FetchTools {
            spool: self.spool.clone(),
            live: Arc::clone(&live),
            host: host.clone(),
            tokens: Arc::clone(&tokens),
            metrics: Arc::clone(&metrics),
            machine: Arc::clone(&machine),
        };
        let configured = move || live.current();
        let fetching = tokio::spawn(fetching::run(tools, configured, held.clone(), intake_ends.clone()));
        let live = Arc::clone(&self.live);
        let spool = self.spool.clone();
        let tools = listening::ListenTools {
            spool,
            live: Arc::clone(&live),
            metrics: Arc::clone(&metrics),
            room: Arc::new(IntakeBudget::default()),
            descriptors: Arc::clone(&descriptors),
            most: self.clients.most,
            command: self.clients.command,
            configured: move || live.current(),
        };
        let listening = tokio::spawn(listening::run(tools, intake_ends.clone()));
        let counting = Arc::clone(&metrics);
        let counted = move |done: DoneMessage| counting.message_done(&done.result);
        let worker = Arc::new(Worker::new(self.spool.clone(), Arc::clone(&self.live)));
        let budget = Arc::clone(worker.budget());
        let working = tokio::spawn(working::run(worker, host.clone(), held, counted, all_ends.clone()));
        let live = Arc::clone(&self.live);
        let look = move || {
            let live = Arc::clone(&live);
            async move {
                live.try_suspended();
                live.refresh().await
            }
        };
        let refreshing = tokio::spawn(refresh(look, all_ends.clone()));
        let live = Arc::clone(&self.live);
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let answering = tokio::spawn(answer::run(
            self.spool.clone(),
            Arc::clone(&live),
            move || live.current(),
            move || wake.notify_one(),
            all_ends.clone(),
        ));
        let (spool, live) = (self.spool.clone(), Arc::clone(&self.live));
        let (ends, id) = (all_ends.clone(), host.id.clone());
        let remove = move || {
            let (spool, setup, ends, id) = (spool.clone(), live.current(), ends.clone(), id.clone());
            let sandbox = Arc::clone(live.sandbox());
            async move {
                retention::tidy_cache(sandbox).await;
                retention::tidy((&spool, &id), &setup.configuration.settings, &ends).await
            }
        };
        let purging = tokio::spawn(purge(remove, all_ends.clone()));
        let telling = tokio::spawn(overview::run(store.clone(), host.id.clone(), all_ends.clone()));
        let summing = tokio::spawn(summing::run(store.clone(), all_ends.clone()));
        let (tells_namesake, namesake) = watch::channel(None);
        let present =
            tokio::spawn(presence::run(Arc::clone(&self.live), host.clone(), tells_namesake, all_ends.clone()));
        let live = Arc::clone(&self.live);
        let sending_tools = outbound::SendTools {
            store: store.clone(),
            live: Arc::clone(&live),
            host: host.clone(),
            tokens: Arc::clone(&tokens),
            metrics: Arc::clone(&metrics),
            machine: Arc::clone(&machine),
            woken,
        };
        let sending = tokio::spawn(outbound::run(sending_tools, move || live.current(), all_ends.clone()));
        let runner = Runner {
            tools: JobTools { spool: self.spool.clone(), live: Arc::clone(&self.live), host: host.clone(), budget },
            host_name: host_name().to_owned(),
            kinds: &KINDS,
            pace: Pace::Beside,
            noted: NOTED,
        };
        let jobs = tokio::spawn(jobs::run(runner, all_ends.clone()));
        let signing_in = tokio::spawn(signing_in::run(Arc::clone(&tokens), all_ends.clone()));
        let serving = tokio::spawn(front(Front {
            listener,
            address,
            spool: self.spool.clone(),
            key: self.key.clone(),
            tokens: Arc::clone(&tokens),
            live: Arc::clone(&self.live),
            metrics,
            machine,
            clients: self.clients,
            descriptors,
            namesake,
            ends: all_ends.clone(),
        }));
        ready(address);

        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        tracing::info!("ending: what is under way is finished");
        intake_ends.cancel();
        if tokio::time::timeout(INTAKE_ENDS_WITHIN, async { tokio::join!(fetching, listening) }).await.is_err() {
            tracing::warn!("a server or a client is silent; what it has not brought to its end is brought again");
        }
        all_ends.cancel();
        let ended = async {
            let other =
                async { tokio::join!(keeping, refreshing, purging, summing, signing_in, telling, present, jobs) };
            tokio::join!(working, answering, sending, serving, other)
        };
        let in_time = tokio::time::timeout(ENDS_WITHIN, ended).await.is_ok();
        if tokio::time::timeout(Tokens::RENEWED_WITHIN, tokens.settled()).await.is_err() {
            tracing::error!(
                "renewed tokens could not be written in time; an account or transport may have to be signed in again"
            );
        }
        if !in_time {
            // The leases stay until they lapse: something may still be working under them.
            tracing::warn!("not everything ended in time; what was under way is taken up at the next start");
            return Ok(());
        }
        leases::release(&store, &host, &[]).await?;
        Ok(())
    }
}

/// Takes up what commands and other hosts changed in the configuration, by `look`, which has suspended filters tried
/// again besides.
pub(super) async fn refresh<T, F: Future<Output = Result<T, StoreError>>>(
    look: impl Fn() -> F,
    stop: CancellationToken,
) {
    let supervised = SupervisedTask::new(WorkKind::Configuration, "", stop).resting_at_most(LONGEST_PAUSE);
    let failures = AtomicU32::new(0);
    let round = || async {
        match look().await {
            Ok(_) => {
                failures.store(0, Ordering::Relaxed);
                CONFIGURATION_EVERY
            }
            Err(error) => {
                let failures = failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                if failures == 1 {
                    tracing::warn!(%error, "the configuration could not be looked at; the one before stays in force");
                }
                back_off::after_failures(failures, CONFIGURATION_EVERY, LONGEST_PAUSE)
            }
        }
    };
    supervised.repeat(round).await;
}

/// Removes what is older than the settings keep, by `remove`.
pub(super) async fn purge<F: Future<Output = Result<u64, StoreError>>>(
    remove: impl Fn() -> F,
    stop: CancellationToken,
) {
    let round = || async {
        match remove().await {
            Ok(removed) => {
                tracing::debug!(communications = removed, "old entries of the communication log were removed");
            }
            Err(error) => {
                tracing::warn!(%error, "old entries of the communication log could not be removed; tried again in an hour");
            }
        }
        PURGED_EVERY
    };
    SupervisedTask::new(WorkKind::Purge, "", stop).repeat(round).await;
}
