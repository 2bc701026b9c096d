//! Whether the database has the version of a plan that messages are judged by.

use crate::chain::ChainPlan;
use crate::store::{Store, StoreError, plan_versions};
use postigo_model::timestamp::now;
use std::sync::{Mutex, PoisonError};

/// A plan's number in the database, and when it was said there last that it is in use.
#[derive(Debug, Default)]
pub struct NotedPlan {
    /// Number, and milliseconds since the epoch.
    noted: Mutex<Option<(i64, i64)>>,
}

impl NotedPlan {
    /// Writes the plan's version, and now and then that it is in use, so that it is not forgotten while a row that names
    /// it is on its way. A chain without filters has none.
    pub async fn note(&self, plan: &ChainPlan, store: &Store) -> Result<(), StoreError> {
        let at = now();
        let is_noted = self.noted().is_some_and(|(_, noted_at)| at - noted_at < plan_versions::SAID_EVERY);
        if is_noted || plan.filters().is_empty() {
            return Ok(());
        }
        let input = (plan.version(), at);
        let number = store
            .write(input, |(version, at), connection| Box::pin(plan_versions::note(connection, version, *at)))
            .await?;
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, at));
        Ok(())
    }

    /// The number, once it is noted.
    pub fn number(&self) -> Option<i64> {
        self.noted().map(|(number, _)| number)
    }

    fn noted(&self) -> Option<(i64, i64)> {
        *self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
