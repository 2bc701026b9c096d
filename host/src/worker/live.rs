//! What is configured now, with its plan: replaced as a whole when the configuration's version changes.

use super::noted_plan::NotedPlan;
use crate::chain::{ChainPlan, LazySandbox, NeededComponents, Sandbox};
use crate::secret_key::SecretKey;
use crate::store::{Store, StoreError, components, configuration};
use postigo_mail::Vocabulary;
use postigo_model::configured::{Configuration, ConfigurationVersion};
use postigo_supervision as supervision;
use postigo_supervision::{WorkKind, blocking};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, watch};

/// A host that could not prepare a filter tries again after so long.
const ANOTHER_TRY: Duration = Duration::from_secs(30);

/// One state of the configuration, and what follows from it.
pub struct LiveConfiguration {
    /// What is configured.
    pub configuration: Configuration,
    /// The chain.
    pub plan: Arc<ChainPlan>,
    /// The headers that exist.
    pub vocabulary: Vocabulary,
    /// Uploaded components whose rows cannot be read, as they are shown, and why.
    pub unreadable: Vec<(String, String)>,
    /// When its plan was prepared.
    pub prepared: Instant,
    noted: NotedPlan,
}

impl LiveConfiguration {
    /// With this plan, prepared now.
    pub fn new(configuration: Configuration, plan: ChainPlan, vocabulary: Vocabulary) -> Self {
        Self {
            configuration,
            plan: Arc::new(plan),
            vocabulary,
            unreadable: Vec::new(),
            prepared: Instant::now(),
            noted: NotedPlan::default(),
        }
    }

    /// Sees to it that the database has the plan's version, before anything is written that names it.
    pub async fn note_plan(&self, store: &Store) -> Result<(), StoreError> {
        self.noted.note(&self.plan, store).await
    }

    /// The number of the plan's version in the database; none where it was not noted, or the chain has no filter.
    pub fn plan_number(&self) -> Option<i64> {
        self.noted.number()
    }

    /// Whether a filter could not be prepared by the host's fault, or a component not be read, some time ago.
    fn is_worth_another_try(&self) -> bool {
        let has_failed = !self.unreadable.is_empty() || self.plan.broken().any(|(_, broken)| broken.may_pass);
        self.prepared.elapsed() >= ANOTHER_TRY && has_failed
    }

    /// What of the components' rows cannot be read, and what that means for filters: sentences.
    fn about_components(&self) -> impl Iterator<Item = String> {
        self.unreadable.iter().map(|(component, why)| {
            let users = self.plan.filters().iter().filter(|filter| *filter.component == **component);
            let users: Vec<String> = users.map(|filter| format!("{:?}", filter.name)).collect();
            let meaning = match users.as_slice() {
                [] => "no filter runs it".to_owned(),
                users => format!("the failure policy applies of the filters that run it, {}", users.join(", ")),
            };
            format!("The component {component} cannot be read, and {meaning}: {why}. Uploading the same file again mends it.")
        })
    }
}

/// The setup in force. Messages under way keep the one that they began with.
pub struct Live {
    store: Store,
    key: SecretKey,
    sandbox: Arc<LazySandbox>,
    current: watch::Sender<Arc<LiveConfiguration>>,
    refreshing: Mutex<()>,
    /// Why what is configured cannot be taken up, a sentence; none: it could when it was last looked at.
    refused: watch::Sender<Option<String>>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Live")
            .field("version", &self.current().configuration.version.number)
            .finish_non_exhaustive()
    }
}

impl Live {
    /// Loads what is configured and prepares its chain.
    pub async fn start(store: Store, key: SecretKey, sandbox: Arc<LazySandbox>) -> Result<Arc<Self>, StoreError> {
        let current = watch::Sender::new(Arc::new(LiveConfiguration::new(
            Configuration::default(),
            ChainPlan::default(),
            Vocabulary::default(),
        )));
        let live = Arc::new(Self {
            store,
            key,
            sandbox,
            current,
            refreshing: Mutex::new(()),
            refused: watch::Sender::default(),
        });
        live.refresh().await?;
        Ok(live)
    }

    /// With this setup, for tests.
    #[cfg(test)]
    pub fn with(setup: LiveConfiguration, store: Store, key: SecretKey, sandbox: Arc<LazySandbox>) -> Arc<Self> {
        let (current, refused) = (watch::Sender::new(Arc::new(setup)), watch::Sender::default());
        Arc::new(Self { store, key, sandbox, current, refreshing: Mutex::new(()), refused })
    }

    /// Lets nothing be taken up while this is held, for tests.
    #[cfg(test)]
    pub async fn hold_back(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.refreshing.lock().await
    }

    /// What is in force now.
    pub fn current(&self) -> Arc<LiveConfiguration> {
        Arc::clone(&self.current.borrow())
    }

    /// What is in force, at this version or a later one: loaded and prepared now where this host is behind. An error
    /// says why it cannot be; then nothing is to be done by what was in force before.
    pub async fn at_least(&self, version: ConfigurationVersion) -> Result<Arc<LiveConfiguration>, StoreError> {
        let current = self.current();
        if current.configuration.version == version {
            return Ok(current);
        }
        // A higher number is a later version only if the database has it now: an earlier state may have been put back.
        let reached = self.refresh().await?;
        if reached != version && reached.number <= version.number {
            return Err(StoreError::Conflict(format!(
                "Version {} of the configuration was in force when work was claimed, and the database has another version {} now. \
                 Was an earlier state of it put back? Restart this daemon.",
                version.number, reached.number
            )));
        }
        Ok(self.current())
    }

    /// What is in force, as it is in the database now.
    pub async fn newest(&self) -> Result<Arc<LiveConfiguration>, StoreError> {
        self.at_least(configuration::version(&self.store).await?).await
    }

    /// Wakes whoever watches when something else is in force.
    pub fn changes(&self) -> watch::Receiver<Arc<LiveConfiguration>> {
        self.current.subscribe()
    }

    /// Wakes whoever watches when it changes why what is configured cannot be taken up.
    pub fn refusals(&self) -> watch::Receiver<Option<String>> {
        self.refused.subscribe()
    }

    /// The database that it is loaded from.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The key that opens what is sealed in it.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// The sandbox that the plans are prepared in.
    pub fn sandbox(&self) -> &Arc<LazySandbox> {
        &self.sandbox
    }

    /// Begins the trials of suspended filters whose pauses are over: no mail need come for a filter to be found well
    /// again.
    pub fn try_suspended(&self) {
        let setup = self.current();
        for trial in setup.plan.due_trials() {
            let setup = Arc::clone(&setup);
            self.sandbox.execute(Box::new(move || trial.run(&setup.vocabulary)));
        }
    }

    /// Takes up a changed configuration, if it did change; gives the version in force afterwards. Filters that were
    /// removed or disabled, and all other settings, are in force at once; new and changed filters when their groups
    /// are prepared.
    pub async fn refresh(&self) -> Result<ConfigurationVersion, StoreError> {
        let taken_up = self.take_up().await;
        match &taken_up {
            Ok(_) => self.refuse(None),
            // The database is away: that is told by itself, and says nothing of what is configured.
            Err(error) if error.is_temporary() => {}
            Err(error) => self.refuse(Some(error.to_string())),
        }
        taken_up
    }

    fn refuse(&self, refused: Option<String>) {
        self.refused.send_if_modified(|before| {
            let differs = *before != refused;
            *before = refused;
            differs
        });
    }

    /// Why what is configured now cannot be taken up, a sentence; none: it could when it was last looked at.
    pub fn refused(&self) -> Option<String> {
        self.refused.borrow().clone()
    }

    /// What is configured or stored of components and cannot be read, and what goes on without it: sentences.
    pub fn unreadable(&self) -> Vec<String> {
        let setup = self.current();
        let refused = self.refused().map(|why| {
            format!(
                "What is configured now cannot be taken up, and version {} stays in force, by which nothing is begun: {why}",
                setup.configuration.version.number
            )
        });
        refused.into_iter().chain(setup.about_components()).collect()
    }

    async fn take_up(&self) -> Result<ConfigurationVersion, StoreError> {
        let _one_at_a_time = self.refreshing.lock().await;
        let before = self.current();
        let unchanged = configuration::version(&self.store).await? == before.configuration.version;
        if unchanged && !before.is_worth_another_try() {
            return Ok(before.configuration.version);
        }
        let configuration = configuration::load(&self.store, &self.key).await?;
        let version = configuration.version;
        let components = NeededComponents::of(configuration.valid_filters(), &self.store, &self.sandbox).await?;
        let components =
            components.with_models(configuration.valid_filters(), &configuration, &self.store, &self.key).await?;
        let unreadable = components::unreadable(&self.store).await?;
        let vocabulary = Vocabulary::of(&configuration);
        self.withdraw(&before, &configuration);
        let sandbox = Arc::clone(&self.sandbox);
        let setup = blocking(WorkKind::Preparation, "", move || {
            let plan =
                ChainPlan::build(configuration.valid_filters(), &components, sandbox.as_ref(), Some(&before.plan));
            for (filter, broken) in plan.broken() {
                tracing::error!(filter = %filter.name, reason = broken.failure.message, "a filter could not be prepared; its failure policy applies");
            }
            let setup = LiveConfiguration { unreadable, ..LiveConfiguration::new(configuration, plan, vocabulary) };
            setup.about_components().for_each(|sentence| tracing::error!("{sentence}"));
            setup
        });
        match setup.await {
            Ok(setup) => {
                supervision::well(WorkKind::Preparation, "");
                self.current.send_replace(Arc::new(setup));
                Ok(version)
            }
            Err(panic) => Err(StoreError::Conflict(format!(
                "The chain could not be prepared, its preparation panicked: {panic}."
            ))),
        }
    }

    /// Puts a plan in force that lacks the filters which are no longer wanted, until the new one is prepared.
    fn withdraw(&self, before: &LiveConfiguration, configuration: &Configuration) {
        let wanted: BTreeSet<&str> = configuration.valid_filters().map(|filter| filter.name.as_str()).collect();
        if before.plan.filters().iter().all(|filter| wanted.contains(&*filter.name)) {
            return;
        }
        let plan = before.plan.only(|name| wanted.contains(name));
        let setup = LiveConfiguration::new(before.configuration.clone(), plan, before.vocabulary.clone());
        self.current.send_replace(Arc::new(setup));
    }
}
