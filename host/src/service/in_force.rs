//! Waiting until every host works by a configuration that was saved.
//!
//! Nothing depends on it: whoever claims a message or a mail reads the configuration's version with the claim, and
//! works by that one. Whoever changed something may want to know all the same when nobody works by the old.

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
/// `patience` ends, or when nothing was seen of them for so long that nobody waits for them. A host of which `is_gone`
/// says so does not count. While the database is away it is asked again.
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
        let is_over = Instant::now() >= until;
        match hosts::behind(store, version, hosts::ALIVE + 2 * patience).await {
            Err(error) if !error.is_temporary() || is_over => return Err(error),
            Err(_) => {}
            Ok(mut behind) => {
                behind.retain(|behind| ids.contains(&behind.host.id) && !is_gone(&behind.host.id));
                if is_over || behind.iter().all(|behind| behind.seen >= hosts::SILENT) {
                    return Ok(behind.into_iter().map(HostNotYet::from).collect());
                }
            }
        }
        tokio::time::sleep(LOOKS_EVERY).await;
    }
}

/// Who does not work yet by a version that was saved: this host, and others.
#[derive(Debug, Default)]
pub struct NotInForce {
    /// Whether this host does.
    pub here: bool,
    /// Whether the others could be asked; else nothing is known of them.
    pub asked: bool,
    /// Those that do not, as they say of themselves; this host among them, where it runs as a daemon.
    pub hosts: Vec<HostNotYet>,
}

impl NotInForce {
    /// Whether nobody is behind, for certain.
    pub fn is_nobody(&self) -> bool {
        self.here && self.asked && self.hosts.is_empty()
    }
}

/// Has this host work by what was saved just now, or later, and waits a while for it and the others; gives who does not
/// yet. What goes wrong here takes nothing back that was saved: it is told in the log.
pub async fn take_up(live: &Arc<Live>) -> NotInForce {
    taken_up(live).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a change is saved, and it could not be asked which hosts work by it");
        NotInForce::default()
    })
}

async fn taken_up(live: &Arc<Live>) -> Result<NotInForce, StoreError> {
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
    Ok(NotInForce { here, asked: true, hosts: wait(live.store(), version, left, |_| false).await? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fresh_store::fresh;
    use crate::store::hosts::HostState;

    const A_MINUTE: Duration = Duration::from_mins(1);

    async fn say(store: &Store, id: &str, version: ConfigurationVersion) {
        let host = HostState { id: id.into(), run: id.into(), name: "mx".into(), version, refused: String::new() };
        hosts::say(store, &host).await.unwrap();
    }

    #[tokio::test]
    async fn nobody_waits_for_a_host_that_has_missed_its_signs_and_it_is_named() {
        let (_folder, store, _key) = fresh().await;
        let version = configuration::version(&store).await.unwrap();
        let before = ConfigurationVersion { number: version.number - 1, ..version };
        say(&store, "dead", before).await;
        store.execute("UPDATE host SET seen = seen - 20001").await;
        let since = Instant::now();
        let behind = wait(&store, version, A_MINUTE, |_| false).await.unwrap();
        assert_eq!(behind.iter().map(|host| host.id.as_str()).collect::<Vec<_>>(), ["dead"]);
        // Those that are there are waited for beside it.
        say(&store, "late", before).await;
        let comes = async {
            tokio::task::yield_now().await;
            say(&store, "late", version).await;
        };
        let (behind, ()) = tokio::join!(wait(&store, version, A_MINUTE, |_| false), comes);
        assert_eq!(behind.unwrap().iter().map(|host| host.id.as_str()).collect::<Vec<_>>(), ["dead"]);
        // Once it is not seen for long enough it is gone.
        store.execute("UPDATE host SET seen = seen - 10000 WHERE id = 'dead'").await;
        assert!(wait(&store, version, A_MINUTE, |_| false).await.unwrap().is_empty());
        assert!(since.elapsed() < A_MINUTE / 2, "no wait was for the dead one");
    }
}
