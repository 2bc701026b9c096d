//! Says in the database that this daemon is there, and which version of the configuration it works by: commands wait
//! for that. Daemons with one id find one another by it.

use crate::inbound::lmtp::host_name;
use crate::spool::leases::Host;
use crate::store::hosts::{self, ALIVE, HostState, SAID_EVERY};
use crate::worker::Live;
use postigo_supervision::{SupervisedTask, WorkKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// While the database is away it is tried again after so long.
const AGAIN: Duration = Duration::from_secs(2);

/// Says it whenever it changes, until `stop`; then this host is no longer there. `namesake` gets what is to be told of
/// another daemon with this one's id, a sentence, while there is one.
pub async fn run(live: Arc<Live>, host: Host, namesake: watch::Sender<Option<String>>, stop: CancellationToken) {
    let supervised = SupervisedTask::new(WorkKind::Presence, "", stop.clone()).resting_at_most(SAID_EVERY);
    let (mut changes, mut refusals) = (live.changes(), live.refusals());
    let mut spoken = Spoken::default();
    while !stop.is_cancelled() {
        let (version, refused) =
            (changes.borrow_and_update().configuration.version, refusals.borrow_and_update().clone());
        let state = HostState {
            id: host.id.clone(),
            run: host.run.clone(),
            name: host_name().to_owned(),
            version,
            refused: refused.unwrap_or_default(),
        };
        let pause = match supervised.round(hosts::say(live.store(), &state)).await {
            Ok(Ok(before)) => {
                tell(&namesake, &host, spoken.hears(&host.run, before.as_deref()));
                SAID_EVERY
            }
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
    if let Err(error) = hosts::leave(live.store(), &host.run).await {
        tracing::warn!(%error, "commands wait for this host until it was not seen for a while");
    }
}

/// What this daemon knows of others with its id.
#[derive(Debug, Default)]
struct Spoken {
    /// Whether it has spoken itself: before, whoever spoke last may be an earlier run that ended.
    has: bool,
    /// When another one was heard last.
    another: Option<Instant>,
}

impl Spoken {
    /// Hears which run spoke before this one; whether another daemon with this id is there. Only one that lives can have
    /// spoken since this one did.
    fn hears(&mut self, own: &str, before: Option<&str>) -> bool {
        if self.has && before.is_some_and(|before| before != own) {
            self.another = Some(Instant::now());
        }
        self.has = true;
        self.another.is_some_and(|heard| heard.elapsed() < ALIVE)
    }
}

fn tell(namesake: &watch::Sender<Option<String>>, host: &Host, is_there: bool) {
    if namesake.borrow().is_some() == is_there {
        return;
    }
    let sentence = is_there.then(|| {
        format!(
            "Another daemon works with the id of this data folder, {}: the folder was copied. Each takes for its own what the other \
             has claimed, so that mail may be filed late and sent twice. Stop one of them, remove the file worker.lock from its \
             data folder, and start it again: it gets an id of its own.",
            host.id
        )
    });
    if let Some(sentence) = &sentence {
        tracing::error!("{sentence}");
    } else {
        tracing::info!("no other daemon works with the id of this data folder any more");
    }
    namesake.send_replace(sentence);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_ended_is_no_namesake_and_one_that_speaks_in_between_is() {
        let mut spoken = Spoken::default();
        assert!(!spoken.hears("own", Some("earlier")), "it may have ended before this one began");
        assert!(!spoken.hears("own", Some("own")));
        assert!(!spoken.hears("own", None), "the row was removed");
        assert!(spoken.hears("own", Some("other")));
        assert!(spoken.hears("own", Some("own")), "it may only be slower");
        spoken.another = Instant::now().checked_sub(ALIVE);
        assert!(!spoken.hears("own", Some("own")), "it has not spoken for a while");
    }
}
