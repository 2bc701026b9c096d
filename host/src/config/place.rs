//! Where a configuration is kept, and by what it is tried.

use crate::chain::{AskersSandbox, LazySandbox};
use crate::secret_key::SecretKey;
use crate::store::Store;
use postigo_model::actor::Actor;
use postigo_sandbox::Asker;
use std::sync::Arc;

/// Where a configuration is kept, and the sandbox that filters' settings are tried in.
#[derive(Clone, Copy)]
pub struct ConfigurationPlace<'p> {
    /// The store.
    pub store: &'p Store,
    /// The key that seals the secrets.
    pub key: &'p SecretKey,
    /// The sandbox.
    pub sandbox: &'p Arc<LazySandbox>,
    /// On whose behalf the sandbox works.
    pub asker: Asker,
    /// Who makes the change.
    pub actor: &'p Actor,
}

impl ConfigurationPlace<'_> {
    /// The sandbox for whoever makes the change.
    pub fn asked(self) -> AskersSandbox {
        self.sandbox.asked_by(self.asker)
    }
}
