//! Saving a changed configuration where others change it at the same time.

use super::ServiceError;
use crate::config::ConfigurationPlace;
use crate::store::{StoreError, configuration};
use postigo_model::configured::{Configuration, ConfigurationVersion, CustomerUser};

/// A change that somebody else's overtakes is made anew so many times.
const TRIES: usize = 5;

/// How often a change was tried to be saved.
#[derive(Debug, Default)]
pub struct Tries(usize);

impl Tries {
    /// Saves what was made of `before`, with customer users that are saved along; gives the new version. None: somebody
    /// else's change was saved meanwhile, and this one is to be made anew on top of it.
    pub async fn save(
        &mut self,
        place: ConfigurationPlace<'_>,
        before: &Configuration,
        after: &Configuration,
        customers: Vec<CustomerUser>,
    ) -> Result<Option<ConfigurationVersion>, ServiceError> {
        self.end(configuration::save(place.store, place.key, before, after, customers, place.actor).await)
    }

    /// The same of a save that was tried by other means.
    pub fn end(
        &mut self,
        saved: Result<ConfigurationVersion, StoreError>,
    ) -> Result<Option<ConfigurationVersion>, ServiceError> {
        self.0 += 1;
        match saved {
            Err(StoreError::Conflict(_)) if self.0 < TRIES => Ok(None),
            Err(StoreError::Conflict(sentence)) => Err(ServiceError::Overtaken(sentence)),
            saved => Ok(Some(saved?)),
        }
    }
}
