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
    filling: AtomicBool,
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
            filling: AtomicBool::new(false),
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
        if ahead.filling.swap(true, Ordering::AcqRel) {
            return;
        }
        let (Some(threads), group) = (ahead.threads.upgrade(), Arc::downgrade(ahead)) else { return };
        threads.submit(Box::new(move || {
            if let Some(ahead) = group.upgrade() {
                ahead.fill();
                ahead.filling.store(false, Ordering::Release);
            }
        }));
    }

    fn fill(&self) {
        while self.ready.lock().unwrap_or_else(PoisonError::into_inner).len() < self.most {
            if HELD.fetch_add(self.memory, Ordering::Relaxed) + self.memory > ALL_MEMORY {
                HELD.fetch_sub(self.memory, Ordering::Relaxed);
                return;
            }
            match self.make() {
                Ok(instance) => self.ready.lock().unwrap_or_else(PoisonError::into_inner).push_back(instance),
                Err(error) => {
                    HELD.fetch_sub(self.memory, Ordering::Relaxed);
                    tracing::warn!("an instance could not be configured ahead: {error}");
                    return;
                }
            }
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        let ready = self.ready.get_mut().unwrap_or_else(PoisonError::into_inner).len() as u64;
        HELD.fetch_sub(ready * self.memory, Ordering::Relaxed);
    }
}
