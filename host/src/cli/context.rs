//! What the commands work on, opened when the first of them needs it.

use super::output::printable;
use super::place::CommandPlace;
use super::{CommandError, Output, login};
use crate::chain::LazySandbox;
use crate::config;
use crate::oauth2::Tokens;
use crate::secret_key::SecretKey;
use crate::service::configured::Editor;
use crate::service::customer_users::CustomerPlace;
use crate::service::in_force;
use crate::spool::Spool;
use crate::store::{Location, Store, configuration};
use crate::worker::{Live, WorkLock, is_daemon_running};
use postigo_files::data_folder;
use postigo_model::actor::Actor;
use postigo_model::configured::{Configuration, ConfigurationVersion};
use postigo_sandbox::{Asker, RuntimeOptions, child};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio::sync::OnceCell;

/// Where the state lies and how results are printed; opens the store on first use.
pub struct Context {
    data: PathBuf,
    location: Location,
    key: SecretKey,
    /// Who makes the changes: whoever can read the key and write the database is an admin.
    actor: Actor,
    cache: PathBuf,
    guest_memory: OnceLock<u64>,
    json: bool,
    waits: bool,
    /// The version of the configuration before a command that may change it.
    before: OnceCell<ConfigurationVersion>,
    store: OnceCell<Store>,
    spool: OnceCell<Spool>,
    sandbox: OnceLock<Arc<LazySandbox>>,
    live: OnceCell<Arc<Live>>,
}

impl Context {
    pub(super) fn new(place: CommandPlace) -> Self {
        let location = match place.database {
            Some(url) => Location::Postgres(url),
            None => Location::Folder(place.data.clone()),
        };
        Self {
            key: SecretKey::at(place.key.unwrap_or_else(|| place.data.join("key"))),
            cache: place.cache.unwrap_or_else(|| place.data.join("cache")),
            actor: Actor::CommandLine { user: login::user() },
            guest_memory: OnceLock::new(),
            data: place.data,
            location,
            json: place.json,
            waits: !place.no_wait,
            before: OnceCell::new(),
            store: OnceCell::new(),
            spool: OnceCell::new(),
            sandbox: OnceLock::new(),
            live: OnceCell::new(),
        }
    }

    /// The data folder (`--data`).
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The folder of compiled code (`POSTIGO_CACHE`, else `cache` in the data folder).
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Whoever runs the command.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The key that secrets are sealed with (`--key`).
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// Whether results are printed as JSON (`--json`).
    pub fn json(&self) -> bool {
        self.json
    }

    /// Where results are printed.
    pub fn output(&self) -> Output {
        Output::new(self.json)
    }

    /// The store, opened now if it was not.
    pub async fn store(&self) -> Result<&Store, CommandError> {
        let open = || async {
            self.tell_new_folder();
            make_folder(&self.data)?;
            let store = Store::open(&self.location).await?;
            if configuration::has_secrets(&store).await? {
                self.key.need();
            }
            Ok::<_, CommandError>(store)
        };
        self.store.get_or_try_init(open).await
    }

    /// Says that the data folder is new, where it is: another one may have been meant.
    pub fn tell_new_folder(&self) {
        if !self.data.exists() {
            let place = std::path::absolute(&self.data).unwrap_or_else(|_| self.data.clone());
            let place = printable(&place.display().to_string());
            eprintln!(
                "The data folder {place} does not exist yet: it is made, with nothing in it. Another is named by --data or POSTIGO_DATA."
            );
        }
    }

    /// The spool, opened now if it was not.
    pub async fn spool(&self) -> Result<&Spool, CommandError> {
        let store = self.store().await?;
        Ok(self.spool.get_or_try_init(|| async { Spool::open(store.clone(), &self.data) }).await?)
    }

    /// Sets what all filters together may hold, in bytes. It counts where the sandbox was not asked for before.
    pub fn set_guest_memory(&self, bytes: u64) {
        self.guest_memory.get_or_init(|| bytes);
    }

    /// The sandbox; it starts when the first filter needs it.
    pub fn sandbox(&self) -> Result<&Arc<LazySandbox>, CommandError> {
        if let Some(sandbox) = self.sandbox.get() {
            return Ok(sandbox);
        }
        let program = child::own_program()?;
        let usual = RuntimeOptions::new(self.cache.clone(), program);
        let memory = self.guest_memory.get().copied().unwrap_or(usual.memory);
        let sandbox = LazySandbox::new(RuntimeOptions { memory, ..usual });
        Ok(self.sandbox.get_or_init(|| Arc::new(sandbox)))
    }

    /// What accounts and transports sign in with.
    pub async fn tokens(&self) -> Result<Arc<Tokens>, CommandError> {
        Ok(Tokens::new(self.store().await?.clone(), self.key.clone()))
    }

    /// What a change of the configuration needs.
    pub async fn place(&self) -> Result<config::ConfigurationPlace<'_>, CommandError> {
        let store = self.store().await?;
        self.before.get_or_try_init(|| configuration::version(store)).await?;
        Ok(config::ConfigurationPlace {
            store,
            key: &self.key,
            sandbox: self.sandbox()?,
            asker: Asker::Host,
            actor: &self.actor,
        })
    }

    /// Whoever runs the command, as one who changes the configuration.
    pub async fn editor(&self) -> Result<Editor<'_>, CommandError> {
        Ok(Editor { place: self.place().await?, machine: None, gives_grants: true, is_trial: false })
    }

    /// Whoever runs the command, as one who changes customer users.
    pub async fn customer_place(&self) -> Result<CustomerPlace<'_>, CommandError> {
        let store = self.store().await?;
        Ok(CustomerPlace { store, key: &self.key, actor: &self.actor, is_trial: false })
    }

    /// After a command, whatever came of it: what root has made in somebody's folder is theirs, so that a daemon that
    /// runs as them can read it.
    pub fn keep_owner(&self) {
        // Each large message was given to them before it was told of.
        data_folder::give_all_to_owner(&self.data, "objects");
        data_folder::give_all_to_owner(&self.cache, "");
    }

    /// After a command that changed the configuration: waits until every daemon works by it, and names those that do
    /// not in time. What they claim from now on they work on by it all the same, so that nothing here is a failure of
    /// the command.
    pub async fn wait_until_in_force(&self) {
        if let Err(error) = self.until_in_force().await {
            let why = error.sentences().join(" ");
            eprintln!(
                "What was changed is saved. Whether every daemon works by it already could not be asked: {}",
                printable(&why)
            );
        }
    }

    async fn until_in_force(&self) -> Result<(), CommandError> {
        let Some(before) = self.before.get().filter(|_| self.waits) else { return Ok(()) };
        let store = self.store().await?;
        let version = configuration::version(store).await?;
        if version == *before {
            return Ok(());
        }
        // The daemon of this folder may have ended a moment ago, without a word.
        let own = WorkLock::folder_id(&self.data);
        let is_gone = |id: &str| own.as_deref() == Some(id) && !is_daemon_running(&self.data);
        for behind in in_force::wait(store, version, in_force::COMMANDS_WAIT, is_gone).await? {
            eprintln!("It is saved, and not in force everywhere yet: {}.", printable(&behind.sentence()));
        }
        Ok(())
    }

    /// The configuration as it is now.
    pub async fn configuration(&self) -> Result<Configuration, CommandError> {
        Ok(configuration::load(self.store().await?, &self.key).await?)
    }

    /// What is configured, with its chain prepared.
    pub async fn live(&self) -> Result<&Arc<Live>, CommandError> {
        let start = || async {
            Live::start(self.store().await?.clone(), self.key.clone(), Arc::clone(self.sandbox()?))
                .await
                .map_err(CommandError::from)
        };
        self.live.get_or_try_init(start).await
    }
}

/// Makes the data folder where it is missing.
fn make_folder(folder: &Path) -> Result<(), CommandError> {
    data_folder::make(folder).map_err(|error| {
        CommandError::because(format!("The data folder {} cannot be made: {error}.", folder.display()))
    })
}
