//! Places for the clients of a listener: how many there may be, in all and from one address, and who has to leave when
//! others come.
//!
//! A client that is being served keeps its place. When all are taken, the one that has waited longest without being
//! served leaves for the one that comes: connections that say nothing, or drip, cost a listener its oldest silent ones
//! and nobody else anything.
//!
//! Messages are what a client could be served with for hours. So where nobody waits, one leaves whose message has been
//! on its way for long and comes far slower than mail servers send: the slowest of the address that has the most
//! places, so that whoever takes all of them gives them up first. Those who are known never leave for this.

use super::descriptors::{DescriptorCount, Descriptors};
use super::figures::{CloseReason, ListenerFigures};
use super::origin::Origin;
use super::pace::{ClientPace, IncomingMessage, SLOW, Slow};
use super::seldom::Seldom;
use super::taken::TakenPlaces;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// So many that have to leave may still be there; before the next comes in, some must have gone.
const LEAVING: usize = 16;
/// So long they are waited for.
const LEFT_WITHIN: Duration = Duration::from_secs(1);

/// How many connections a listener may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all; fewer where there are few descriptors.
    pub connections: usize,
    /// From one address, of those that are not known.
    pub per_address: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { connections: 1_024, per_address: 64 }
    }
}

/// The places of one listener.
#[derive(Debug)]
pub struct Places {
    listener: String,
    most: ConnectionLimits,
    slow: Slow,
    descriptors: Arc<Descriptors>,
    figures: ListenerFigures,
    taken: Mutex<TakenPlaces>,
    left: Notify,
    said: Seldom,
    _part: DescriptorCount,
}

impl Places {
    /// Of a listener that has none yet.
    pub fn of(
        listener: impl Into<String>,
        most: ConnectionLimits,
        descriptors: &Arc<Descriptors>,
        figures: ListenerFigures,
    ) -> Arc<Self> {
        Arc::new(Self {
            listener: listener.into(),
            most,
            slow: SLOW,
            descriptors: Arc::clone(descriptors),
            figures,
            taken: Mutex::default(),
            left: Notify::new(),
            said: Seldom::default(),
            _part: descriptors.listener(),
        })
    }

    /// The same places, where every message is slow at once that comes with fewer bytes a second; others than these
    /// keep their measure.
    #[must_use]
    pub fn where_slow_is(mut self: Arc<Self>, bytes_a_second: u64) -> Arc<Self> {
        if let Some(places) = Arc::get_mut(&mut self) {
            places.slow = Slow { after: Duration::ZERO, bytes_a_second };
        }
        self
    }

    /// Gives a client that comes a place, if need be that of another that waits.
    pub async fn admit(self: &Arc<Self>, origin: Origin) -> Result<ClientPlace, CloseReason> {
        // So that descriptors are not outrun by those that have to leave and are slow to.
        let left = async {
            loop {
                let left = self.left.notified();
                if self.taken().leaving < LEAVING {
                    break;
                }
                left.await;
            }
        };
        let _ = tokio::time::timeout(LEFT_WITHIN, left).await;
        let place = self.place(origin);
        if let Err(reason) = &place {
            self.figures.refuse(&self.listener, *reason);
            self.say(*reason);
        }
        place
    }

    fn place(self: &Arc<Self>, origin: Origin) -> Result<ClientPlace, CloseReason> {
        let most = self.most();
        let mut taken = self.taken();
        if let Origin::Address(address) = origin
            && taken.at(address) >= self.most.per_address
        {
            let displaced = taken.displace(Some(address)).then_some(CloseReason::Displaced);
            self.let_leave(displaced, CloseReason::Address)?;
        }
        if taken.count() >= most || self.descriptors.are_taken() {
            let displaced = taken.displace(None).then_some(CloseReason::Displaced);
            self.let_leave(
                displaced.or_else(|| taken.displace_slow(origin, self.slow).then_some(CloseReason::Slow)),
                CloseReason::Full,
            )?;
        }
        let (leave, pace) = (CancellationToken::new(), ClientPace::default());
        let id = taken.add(origin, leave.clone(), pace.clone());
        drop(taken);
        self.figures.connections(&self.listener, 1);
        Ok(ClientPlace { places: Arc::clone(self), id, leave, pace, _open: self.descriptors.connection() })
    }

    /// Counts the client that has to leave, and why; there is none where nobody can be asked to.
    fn let_leave(&self, displaced: Option<CloseReason>, otherwise: CloseReason) -> Result<(), CloseReason> {
        let why = displaced.ok_or(otherwise)?;
        self.figures.refuse(&self.listener, why);
        self.say(why);
        Ok(())
    }

    /// How many there may be now.
    fn most(&self) -> usize {
        self.descriptors.part(self.most.connections)
    }

    /// Whether more than three quarters of the places are taken: time to be less patient with those that are slow.
    pub fn are_few(&self) -> bool {
        self.taken().count() * 4 > self.most() * 3
    }

    fn say(&self, reason: CloseReason) {
        if let Some(times) = self.said.happened() {
            let (listener, connections, per_address) = (&self.listener, self.most(), self.most.per_address);
            let what = match reason {
                CloseReason::Address => {
                    "clients were turned away: their address has all the connections that one may have"
                }
                CloseReason::Displaced => {
                    "clients that said nothing for long had to leave for others: all connections were taken"
                }
                CloseReason::Slow => {
                    "clients whose messages came slowly had to leave for others: all connections were taken"
                }
                CloseReason::Full | CloseReason::Failed => "clients were turned away: all connections are taken",
            };
            tracing::warn!(listener, connections, per_address, times, "{what}");
        }
    }

    fn taken(&self) -> MutexGuard<'_, TakenPlaces> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's place, until it is dropped. Its client waits, unless it is being served.
#[derive(Debug)]
pub struct ClientPlace {
    places: Arc<Places>,
    id: u64,
    leave: CancellationToken,
    pace: ClientPace,
    _open: DescriptorCount,
}

impl ClientPlace {
    /// Its client is being served for as long as what is given is kept; nothing where it has to leave already.
    pub fn serve(self: &Arc<Self>) -> Option<ServedClient> {
        self.places.taken().serve(self.id).then(|| ServedClient { place: Arc::clone(self) })
    }

    /// Its client begins to bring a message, which is on its way for as long as what is given is kept. One at a time.
    pub fn bring(&self) -> IncomingMessage {
        self.pace.bring()
    }

    /// Done when its client has to leave.
    pub fn displaced(&self) -> WaitForCancellationFuture<'_> {
        self.leave.cancelled()
    }

    /// Whether its client has to leave.
    pub fn is_displaced(&self) -> bool {
        self.leave.is_cancelled()
    }

    /// Whether its client waits and is not being served.
    pub fn is_waiting(&self) -> bool {
        self.places.taken().is_waiting(self.id)
    }

    /// As [`Places::are_few`].
    pub fn is_one_of_few(&self) -> bool {
        self.places.are_few()
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        self.places.taken().remove(self.id);
        self.places.left.notify_waiters();
        self.places.figures.connections(&self.places.listener, -1);
    }
}

/// A client that is being served, until it is dropped.
#[derive(Debug)]
pub struct ServedClient {
    place: Arc<ClientPlace>,
}

impl Drop for ServedClient {
    fn drop(&mut self) {
        self.place.places.taken().served(self.place.id);
    }
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
