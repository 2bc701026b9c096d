//! Says in the database that this daemon is there, and which version of the configuration it works by: commands wait
//! for that.

use crate::inbound::lmtp::host_name;
use crate::spool::leases::Host;
use crate::store::hosts::{self, HostState, SAID_EVERY};
use crate::worker::Live;
use postigo_supervision::{SupervisedTask, WorkKind};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// While the database is away it is tried again after so long.
const AGAIN: Duration = Duration::from_secs(2);

/// Says it whenever it changes, until `stop`; then this host is no longer there.
pub async fn run(live: Arc<Live>, host: Host, stop: CancellationToken) {
    let supervised = SupervisedTask::new(WorkKind::Presence, "", stop.clone()).resting_at_most(SAID_EVERY);
    let (mut changes, mut refusals) = (live.changes(), live.refusals());
    while !stop.is_cancelled() {
        let (version, refused) =
            (changes.borrow_and_update().configuration.version, refusals.borrow_and_update().clone());
        let state = HostState {
            id: host.id.clone(),
            name: host_name().to_owned(),
            version,
            refused: refused.unwrap_or_default(),
        };
        let pause = match supervised.round(hosts::say(live.store(), &state)).await {
            Ok(Ok(())) => SAID_EVERY,
            Ok(Err(error)) => {
                tracing::debug!(%error, "it could not be said that this host is there");
                AGAIN
            }
            Err(_) => continue,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            _ = changes.changed() => {}
            _ = refusals.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    if let Err(error) = hosts::leave(live.store(), &host.id).await {
        tracing::warn!(%error, "commands wait for this host until it was not seen for a while");
    }
}
