//! A small change of the configuration, saved whatever others save meanwhile.

use super::apply::{ApplyError, Place, TRIES};
use super::review::review;
use crate::store::{StoreError, configuration};
use postigo_model::configured::Configuration;

/// Makes a change and saves it; gives what `edit` gave. `edit` may run several times, each on what others saved meanwhile; its
/// mistakes are sentences, and nothing is saved. The change is checked as a file's is.
pub async fn change<T>(place: Place<'_>, edit: impl Fn(&mut Configuration) -> Result<T, Vec<String>>) -> Result<T, ApplyError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let before = configuration::load(place.store, place.key).await?;
        let mut after = before.clone();
        let changed = edit(&mut after).map_err(ApplyError::Mistakes)?;
        let breaches = review(&before, &mut after, place.store, &place.asked()).await?;
        if !breaches.is_empty() {
            return Err(ApplyError::Mistakes(breaches.iter().map(ToString::to_string).collect()));
        }
        match configuration::save(place.store, place.key, &before, &after, Vec::new(), place.actor).await {
            Err(StoreError::Conflict(_)) if tries < TRIES => {}
            saved => {
                saved?;
                return Ok(changed);
            }
        }
    }
}
