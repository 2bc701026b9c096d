//! Instances that are configured ahead, each for one message: the way of components that cannot be snapshotted.

use super::budget::{GuestBudget, GuestReservation, Spare};
use super::contract::{CallFailure, GroupMember, GroupSpec};
use super::engine::Loader;
use super::refusal::PrepareError;
use super::snapshot::start_configured;
use super::template::{Instance, LinkedComponent, NotStarted};
use super::threads::Threads;
use postigo_model::guest::Grant;
use postigo_model::guest::{FailureKind, GuestLimits};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Instances of one group that are kept ready at most.
const READY: u64 = 8;
/// Bytes that the ready instances of one group may hold.
const GROUP_MEMORY: u64 = 256 << 20;

/// The ready instances of one group.
pub(super) struct ReadyInstances {
    template: LinkedComponent,
    members: Vec<GroupMember>,
    grants: Vec<Grant>,
    limits: GuestLimits,
    memory: u64,
    most: usize,
    ready: Mutex<VecDeque<Instance>>,
    filling: Arc<AtomicBool>,
    threads: Weak<Threads>,
    room: Arc<GuestBudget>,
}

impl ReadyInstances {
    /// Starts to fill up, on the guest threads.
    pub(super) fn start(
        loader: &Loader,
        spec: &GroupSpec,
        memory: u64,
        (threads, room): (&Arc<Threads>, &Arc<GuestBudget>),
    ) -> Result<Arc<Self>, PrepareError> {
        let memory = memory.max(1 << 16);
        let ahead = Arc::new(Self {
            template: LinkedComponent::new(loader, &spec.component)?,
            members: spec.members.clone(),
            grants: spec.grants.clone(),
            limits: spec.limits,
            memory,
            most: usize::try_from((GROUP_MEMORY / memory).clamp(1, READY)).unwrap_or(1),
            ready: Mutex::new(VecDeque::new()),
            filling: Arc::default(),
            threads: Arc::downgrade(threads),
            room: Arc::clone(room),
        });
        let spare: Weak<Self> = Arc::downgrade(&ahead);
        room.add_spare(spare);
        Self::fill_later(&ahead);
        Ok(ahead)
    }

    /// An instance for one message: a ready one, or one that is configured now, in the room that is reserved for it or
    /// what it finds.
    pub(super) fn take(self: &Arc<Self>, reserved: Option<GuestReservation>) -> Result<Instance, NotStarted> {
        let ready = self.ready().pop_front();
        Self::fill_later(self);
        let mut instance = match (ready, reserved) {
            (Some(instance), Some(reserved)) => {
                instance.held.take_over(&reserved);
                instance
            }
            (Some(instance), None) => instance,
            (None, reserved) => {
                self.make(reserved.or_else(|| self.room.take(self.memory)).ok_or(NotStarted::NoRoom)?)?
            }
        };
        instance.store.data_mut().set_time(self.limits.time);
        Ok(instance)
    }

    fn make(&self, held: GuestReservation) -> Result<Instance, NotStarted> {
        let held = Arc::new(held);
        let made = start_configured(&self.template, &self.members, &self.grants, self.limits, Arc::clone(&held));
        made.map_err(|error| if held.was_short() { NotStarted::NoRoom } else { NotStarted::Guest(as_failure(error)) })
    }

    fn ready(&self) -> MutexGuard<'_, VecDeque<Instance>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill_later(ahead: &Arc<Self>) {
        let Some(threads) = ahead.threads.upgrade() else { return };
        let Some(filling) = Refill::begin(&ahead.filling) else { return };
        let group = Arc::downgrade(ahead);
        threads.submit(Box::new(move || {
            if let Some(ahead) = group.upgrade() {
                ahead.fill();
            }
            drop(filling);
        }));
    }

    /// As many as may be kept ready, where there is room that nobody waits for.
    fn fill(&self) {
        while self.ready().len() < self.most {
            let Some(held) = self.room.take_spare(self.memory) else { return };
            match self.make(held) {
                Ok(instance) => self.ready().push_back(instance),
                Err(NotStarted::Guest(failure)) => {
                    tracing::warn!("an instance could not be configured ahead: {failure}");
                    return;
                }
                Err(NotStarted::NoRoom | NotStarted::PoolFull) => return,
            }
            if self.room.is_waited_for() {
                self.give_up();
                return;
            }
        }
    }
}

/// The one filling of a group that is under way; over when it is dropped, by a panic too.
struct Refill(Arc<AtomicBool>);

impl Refill {
    fn begin(flag: &Arc<AtomicBool>) -> Option<Self> {
        (!flag.swap(true, Ordering::AcqRel)).then(|| Self(Arc::clone(flag)))
    }
}

impl Drop for Refill {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Spare for ReadyInstances {
    fn give_up(&self) {
        let given_up = std::mem::take(&mut *self.ready());
        drop(given_up);
    }
}

/// What a failure to configure means to a message that came too early.
fn as_failure(error: PrepareError) -> CallFailure {
    match error {
        PrepareError::Failed(failure) => failure,
        other => CallFailure { kind: FailureKind::Trap, message: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filling_that_panics_is_over_and_gives_back_its_room() {
        let room = GuestBudget::of(100);
        let threads = Threads::start(1).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let flag = Arc::default();
        let filling = Refill::begin(&flag).unwrap();
        assert!(Refill::begin(&flag).is_none(), "one at a time");
        let held = room.take_spare(50).unwrap();
        let filled = threads.spawn(move || {
            let (_filling, _held) = (filling, held);
            panic!("on purpose");
        });
        assert!(runtime.block_on(filled).map(|(): ()| ()).is_err());
        // The job was dropped before its thread took the next one.
        runtime.block_on(threads.spawn(|| ())).unwrap();
        assert!(Refill::begin(&flag).is_some());
        assert!(room.take(100).is_some(), "all of it is there again");
    }
}
