//! Waiting until every host works by a configuration that was saved.
//!
//! Nothing depends on it: whoever claims a message or a mail reads the configuration's version with the claim, and
//! works by that one. Whoever changed something may want to know all the same when nobody works by the old.

use super::ServiceError;
use super::behind::HostNotYet;
use crate::store::{Store, StoreError, configuration, hosts};
use crate::worker::Live;
use postigo_model::configured::ConfigurationVersion;
use postigo_supervision::{WorkKind, caught};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// So long a command waits.
pub const COMMANDS_WAIT: Duration = Duration::from_secs(30);
/// So long a request waits.
const REQUESTS_WAIT: Duration = Duration::from_secs(5);
/// So often is looked.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// Waits until all hosts that are there work by this version or a later one, or have ended; gives those that do not when
/// `patience` ends, even where nothing was seen of them meanwhile. A host of which `is_gone` says so does not count.
pub async fn wait(
    store: &Store,
    version: ConfigurationVersion,
    patience: Duration,
    is_gone: impl Fn(&str) -> bool,
) -> Result<Vec<HostNotYet>, StoreError> {
    let until = Instant::now() + patience;
    let there = hosts::behind(store, version, hosts::ALIVE).await?;
    let ids: BTreeSet<String> = there.into_iter().map(|behind| behind.host.id).collect();
    loop {
        let mut behind = hosts::behind(store, version, hosts::ALIVE + 2 * patience).await?;
        behind.retain(|behind| ids.contains(&behind.host.id) && !is_gone(&behind.host.id));
        if behind.is_empty() || Instant::now() >= until {
            return Ok(behind.into_iter().map(HostNotYet::from).collect());
        }
        tokio::time::sleep(LOOKS_EVERY).await;
    }
}

/// Who does not work yet by a version that was saved: this host, and others.
#[derive(Debug, Default)]
pub struct NotInForce {
    /// Whether this host does.
    pub here: bool,
    /// Those that do not, as they say of themselves; this host among them, where it runs as a daemon.
    pub hosts: Vec<HostNotYet>,
}

impl NotInForce {
    /// Whether nobody is behind.
    pub fn is_nobody(&self) -> bool {
        self.here && self.hosts.is_empty()
    }
}

/// Has this host work by what was saved just now, or later, and waits a while for it and the others; gives who does not
/// yet.
pub async fn take_up(live: &Arc<Live>) -> Result<NotInForce, ServiceError> {
    let since = Instant::now();
    let version = configuration::version(live.store()).await?;
    let taking_up = Arc::clone(live);
    // It goes on where nobody waits for it any more.
    let taken_up = tokio::spawn(async move {
        // A panic is told; the daemon's own look takes the change up.
        match caught(WorkKind::Preparation, "", taking_up.at_least(version)).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => {
                tracing::error!(%error, "a changed configuration could not be taken up");
                false
            }
            Err(_) => false,
        }
    });
    let here = matches!(tokio::time::timeout(REQUESTS_WAIT, taken_up).await, Ok(Ok(true)));
    let left = REQUESTS_WAIT.saturating_sub(since.elapsed());
    Ok(NotInForce { here, hosts: wait(live.store(), version, left, |_| false).await? })
}
