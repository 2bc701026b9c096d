//! What is configured now, with its plan: replaced as a whole when the configuration's version changes.

use crate::chain::{Gathered, LazySandbox, Plan, Sandbox};
use crate::config::Configuration;
use crate::mail::Vocabulary;
use crate::secret::SecretKey;
use crate::store::{Store, StoreError, configuration};
use crate::supervision::{self, Work, blocking};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, watch};

/// A host that could not prepare a filter tries again after so long.
const ANOTHER_TRY: Duration = Duration::from_secs(30);

/// One state of the configuration, and what follows from it.
pub struct Setup {
    /// What is configured.
    pub configuration: Configuration,
    /// The chain.
    pub plan: Arc<Plan>,
    /// The headers that exist.
    pub vocabulary: Vocabulary,
    /// When its plan was prepared.
    pub prepared: Instant,
}

impl Setup {
    /// With this plan, prepared now.
    pub fn new(configuration: Configuration, plan: Plan, vocabulary: Vocabulary) -> Self {
        Self { configuration, plan: Arc::new(plan), vocabulary, prepared: Instant::now() }
    }

    /// Whether a filter could not be prepared by the host's fault, some time ago.
    fn is_worth_another_try(&self) -> bool {
        self.prepared.elapsed() >= ANOTHER_TRY && self.plan.broken().any(|(_, broken)| broken.may_pass)
    }
}

/// The setup in force. Messages under way keep the one that they began with.
pub struct Live {
    store: Store,
    key: SecretKey,
    sandbox: Arc<LazySandbox>,
    current: watch::Sender<Arc<Setup>>,
    refreshing: Mutex<()>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Live").field("version", &self.current().configuration.version).finish_non_exhaustive()
    }
}

impl Live {
    /// Loads what is configured and prepares its chain.
    pub async fn start(store: Store, key: SecretKey, sandbox: Arc<LazySandbox>) -> Result<Arc<Self>, StoreError> {
        let current = watch::Sender::new(Arc::new(Setup::new(Configuration::default(), Plan::default(), Vocabulary::default())));
        let live = Arc::new(Self { store, key, sandbox, current, refreshing: Mutex::new(()) });
        live.refresh().await?;
        Ok(live)
    }

    /// With this setup, for tests.
    #[cfg(test)]
    pub fn with(setup: Setup, store: Store, key: SecretKey, sandbox: Arc<LazySandbox>) -> Arc<Self> {
        Arc::new(Self { store, key, sandbox, current: watch::Sender::new(Arc::new(setup)), refreshing: Mutex::new(()) })
    }

    /// What is in force now.
    pub fn current(&self) -> Arc<Setup> {
        Arc::clone(&self.current.borrow())
    }

    /// The database that it is loaded from.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The sandbox that the plans are prepared in.
    pub fn sandbox(&self) -> &Arc<LazySandbox> {
        &self.sandbox
    }

    /// Begins the trials of suspended filters whose pauses are over: no mail need come for a filter to be found well again.
    pub fn try_suspended(&self) {
        let setup = self.current();
        for trial in setup.plan.due_trials() {
            let setup = Arc::clone(&setup);
            self.sandbox.execute(Box::new(move || trial.run(&setup.vocabulary)));
        }
    }

    /// Takes up a changed configuration, if it did change; gives the version in force afterwards. Filters that were removed or
    /// disabled, and all other settings, are in force at once; new and changed filters when their groups are prepared.
    pub async fn refresh(&self) -> Result<i64, StoreError> {
        let _one_at_a_time = self.refreshing.lock().await;
        let before = self.current();
        let unchanged = configuration::version(&self.store).await? == before.configuration.version;
        if unchanged && !before.is_worth_another_try() {
            return Ok(before.configuration.version);
        }
        let configuration = configuration::load(&self.store, &self.key).await?;
        let version = configuration.version;
        let components = Gathered::of(configuration.valid_filters(), &self.store, &self.sandbox).await?;
        let fields: Vec<_> = configuration.dynamic_fields.values().cloned().collect();
        let vocabulary = Vocabulary::new(&fields);
        self.withdraw(&before, &configuration);
        let sandbox = Arc::clone(&self.sandbox);
        let setup = blocking(Work::Preparation, "", move || {
            let plan = Plan::build(configuration.valid_filters(), &components, sandbox.as_ref(), Some(&before.plan));
            for (filter, broken) in plan.broken() {
                tracing::error!(filter = %filter.name, reason = broken.failure.message, "a filter could not be prepared; its failure policy applies");
            }
            Setup::new(configuration, plan, vocabulary)
        });
        match setup.await {
            Ok(setup) => {
                supervision::well(Work::Preparation, "");
                self.current.send_replace(Arc::new(setup));
                Ok(version)
            }
            Err(panic) => Err(StoreError::Conflict(format!("The chain could not be prepared, its preparation panicked: {panic}."))),
        }
    }

    /// Puts a plan in force that lacks the filters which are no longer wanted, until the new one is prepared.
    fn withdraw(&self, before: &Setup, configuration: &Configuration) {
        let wanted: BTreeSet<&str> = configuration.valid_filters().map(|filter| filter.name.as_str()).collect();
        if before.plan.filters().iter().all(|filter| wanted.contains(&*filter.name)) {
            return;
        }
        let plan = before.plan.only(|name| wanted.contains(name));
        let setup = Setup::new(before.configuration.clone(), plan, before.vocabulary.clone());
        self.current.send_replace(Arc::new(setup));
    }

    /// Waits until at least this version is in force; false when `patience` ends first. Someone else must [`refresh`](Self::refresh).
    pub async fn wait_for(&self, version: i64, patience: Duration) -> bool {
        let mut changes = self.current.subscribe();
        let reached = changes.wait_for(|setup| setup.configuration.version >= version);
        tokio::time::timeout(patience, reached).await.is_ok_and(|reached| reached.is_ok())
    }
}
