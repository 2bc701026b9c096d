//! Instances that are configured ahead, each for one message: the way of components that cannot be snapshotted.

use super::contract::{Failure, GroupMember, GroupSpec, Limits};
use super::group::as_failure;
use super::refusal::PrepareError;
use super::snapshot::start_configured;
use super::template::{Instance, Template};
use super::threads::Threads;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use wasmtime::Engine;

/// Instances of one group that are kept ready at most.
const READY: u64 = 8;
/// Bytes that the ready instances of one group may hold.
const GROUP_MEMORY: u64 = 256 << 20;
/// Bytes that the ready instances of all groups may hold.
const ALL_MEMORY: u64 = 1 << 30;

static HELD: AtomicU64 = AtomicU64::new(0);

/// The ready instances of one group.
pub(super) struct Ahead {
    template: Template,
    members: Vec<GroupMember>,
    grants: Vec<String>,
    limits: Limits,
    memory: u64,
    most: usize,
    ready: Mutex<VecDeque<Instance>>,
    filling: Arc<AtomicBool>,
    threads: Weak<Threads>,
}

impl Ahead {
    /// Starts to fill up, on the guest threads.
    pub(super) fn start(engine: &Engine, spec: &GroupSpec, memory: u64, threads: &Arc<Threads>) -> Result<Arc<Self>, PrepareError> {
        let memory = memory.max(1 << 16);
        let ahead = Arc::new(Self {
            template: Template::new(engine, &spec.component)?,
            members: spec.members.clone(),
            grants: spec.grants.clone(),
            limits: spec.limits,
            memory,
            most: usize::try_from((GROUP_MEMORY / memory).clamp(1, READY)).unwrap_or(1),
            ready: Mutex::new(VecDeque::new()),
            filling: Arc::default(),
            threads: Arc::downgrade(threads),
        });
        Self::fill_later(&ahead);
        Ok(ahead)
    }

    /// An instance for one message: a ready one, or one that is configured now.
    pub(super) fn take(self: &Arc<Self>) -> Result<Instance, Failure> {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        Self::fill_later(self);
        let mut instance = match ready {
            Some(instance) => {
                HELD.fetch_sub(self.memory, Ordering::Relaxed);
                instance
            }
            None => self.make().map_err(as_failure)?,
        };
        instance.store.data_mut().set_time(self.limits.time);
        Ok(instance)
    }

    fn make(&self) -> Result<Instance, PrepareError> {
        start_configured(&self.template, &self.members, &self.grants, self.limits)
    }

    fn fill_later(ahead: &Arc<Self>) {
        let Some(threads) = ahead.threads.upgrade() else { return };
        let Some(filling) = Filling::begin(&ahead.filling) else { return };
        let group = Arc::downgrade(ahead);
        threads.submit(Box::new(move || {
            if let Some(ahead) = group.upgrade() {
                ahead.fill();
            }
            drop(filling);
        }));
    }

    fn fill(&self) {
        while self.ready.lock().unwrap_or_else(PoisonError::into_inner).len() < self.most {
            let Some(memory) = Memory::take(self.memory) else { return };
            match self.make() {
                Ok(instance) => {
                    self.ready.lock().unwrap_or_else(PoisonError::into_inner).push_back(instance);
                    memory.keep();
                }
                Err(error) => {
                    tracing::warn!("an instance could not be configured ahead: {error}");
                    return;
                }
            }
        }
    }
}

/// The one filling of a group that is under way; over when it is dropped, by a panic too.
struct Filling(Arc<AtomicBool>);

impl Filling {
    fn begin(flag: &Arc<AtomicBool>) -> Option<Self> {
        (!flag.swap(true, Ordering::AcqRel)).then(|| Self(Arc::clone(flag)))
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Memory of all groups that an instance takes which is being made; given back unless it is kept.
struct Memory(u64);

impl Memory {
    fn take(bytes: u64) -> Option<Self> {
        let taken = Self(bytes);
        (HELD.fetch_add(bytes, Ordering::Relaxed) + bytes <= ALL_MEMORY).then_some(taken)
    }

    fn keep(mut self) {
        self.0 = 0;
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        let ready = self.ready.get_mut().unwrap_or_else(PoisonError::into_inner).len() as u64;
        HELD.fetch_sub(ready * self.memory, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filling_that_panics_is_over_and_gives_back_its_memory() {
        let threads = Threads::start(1).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let flag = Arc::default();
        let filling = Filling::begin(&flag).unwrap();
        assert!(Filling::begin(&flag).is_none(), "one at a time");
        let before = HELD.load(Ordering::Relaxed);
        let filled = threads.spawn(move || {
            let (_filling, _memory) = (filling, Memory::take(1 << 20).unwrap());
            panic!("on purpose");
        });
        assert!(runtime.block_on(filled).map(|(): ()| ()).is_err());
        // The job was dropped before its thread took the next one.
        runtime.block_on(threads.spawn(|| ())).unwrap();
        assert_eq!(HELD.load(Ordering::Relaxed), before);
        assert!(Filling::begin(&flag).is_some());
        assert!(Memory::take(ALL_MEMORY + 1).is_none());
        assert_eq!(HELD.load(Ordering::Relaxed), before);
    }
}
