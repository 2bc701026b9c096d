//! What the handlers work with.

use crate::machine::Machine;
use crate::metrics::Metrics;
use crate::oauth2::Tokens;
use crate::secret_key::SecretKey;
use crate::spool::Spool;
use crate::store::Store;
use crate::worker::Live;
use postigo_net::listen::IntakeBudget;
use std::sync::Arc;
use tokio::sync::watch;

/// What the API works with. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    pub(super) store: Store,
    pub(super) spool: Spool,
    pub(super) key: SecretKey,
    pub(super) tokens: Arc<Tokens>,
    pub(super) live: Arc<Live>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) machine: Arc<Machine>,
    /// The memory for bodies.
    pub(super) room: Arc<IntakeBudget>,
    /// Whether only this machine reaches the listener.
    pub(super) loopback: bool,
    /// Further names that such a listener goes by.
    pub(super) names: Arc<[String]>,
    /// What is to be told of another daemon with this one's id, a sentence; none: there is none.
    pub(super) namesake: watch::Receiver<Option<String>>,
}

impl ApiState {
    /// Over this spool and its database, with the key that secrets are sealed with, what this host works by, and what
    /// of this machine may be configured over it.
    pub fn new(
        spool: Spool,
        key: SecretKey,
        tokens: Arc<Tokens>,
        live: Arc<Live>,
        metrics: Arc<Metrics>,
        machine: Arc<Machine>,
    ) -> Self {
        let store = spool.store().clone();
        Self {
            store,
            spool,
            key,
            tokens,
            live,
            metrics,
            machine,
            room: Arc::default(),
            loopback: false,
            names: Arc::default(),
            namesake: watch::channel(None).1,
        }
    }

    /// With what is told of another daemon with this one's id.
    #[must_use]
    pub fn beside(self, namesake: watch::Receiver<Option<String>>) -> Self {
        Self { namesake, ..self }
    }

    /// With names that proxies on this machine pass on.
    #[must_use]
    pub fn named(self, names: Vec<String>) -> Self {
        Self { names: names.into(), ..self }
    }
}

#[cfg(test)]
impl ApiState {
    /// As where only this machine reaches the listener.
    #[must_use]
    pub fn on_loopback(self) -> Self {
        Self { loopback: true, ..self }
    }
}
