//! A group: filters of one component, configured together, ready to be called.

use super::ahead::ReadyInstances;
use super::budget::{GuestBudget, GuestReservation};
use super::cache_folder::CacheFolder;
use super::contract::{Cost, GroupSpec, GroupStart};
use super::engine::{Engines, SLOT_MEMORY};
use super::image::{MAPPED, is_copied};
use super::refusal::PrepareError;
use super::sandbox::Grants;
use super::template::{Instance, LinkedComponent, NotStarted};
use super::threads::Threads;
use super::world::WorldCalls;
use postigo_model::guest::GuestLimits;
use std::any::Any;
use std::sync::{Arc, OnceLock};

/// Filters of one component with the same grants and limits, ready to be called.
pub struct Group {
    source: InstanceSource,
    room: Arc<GuestBudget>,
    template: LinkedComponent,
    full: OnceLock<Option<LinkedComponent>>,
    members: u32,
    grants: Grants,
    limits: GuestLimits,
    cost: Cost,
    configured: Box<dyn Any + Send + Sync>,
}

/// Where a message's instance comes from.
enum InstanceSource {
    /// A fresh instance of a snapshot; its bytes can be read again under this key.
    Snapshot { engines: Arc<Engines>, kept: CacheFolder, key: String },
    /// Instances that were configured ahead.
    Ahead(Arc<ReadyInstances>),
}

impl Group {
    /// Finds the compiled code of what was made of a group; [`Refused::Compile`](super::Refused::Compile) where it is
    /// not on disk.
    pub(super) fn build(
        engines: &Arc<Engines>,
        kept: &CacheFolder,
        (threads, room): (&Arc<Threads>, &Arc<GuestBudget>),
        spec: &GroupSpec,
        (made, snapshot): &(GroupStart, Vec<u8>),
        key: String,
    ) -> Result<Arc<Self>, PrepareError> {
        let (source, template, pooled, because) = if let Some(because) = made.unsnapshotable.clone() {
            let template = LinkedComponent::new(&engines.plain, &spec.component)?;
            let ahead = ReadyInstances::start(&engines.plain, spec, made.memory, (threads, room))?;
            (InstanceSource::Ahead(ahead), template, false, because)
        } else {
            let (template, pooled, because) = fastest(engines, snapshot, spec.limits)?;
            (
                InstanceSource::Snapshot { engines: Arc::clone(engines), kept: kept.clone(), key },
                template,
                pooled,
                because,
            )
        };
        let cost =
            Cost { memory: made.memory, snapshot: matches!(source, InstanceSource::Snapshot { .. }), pooled, because };
        let configured = template.calls().configured(&made.of_world);
        Ok(Arc::new(Self {
            source,
            room: Arc::clone(room),
            template,
            full: OnceLock::new(),
            members: u32::try_from(spec.members.len()).unwrap_or(u32::MAX),
            grants: Grants::of(&spec.grants),
            limits: spec.limits,
            cost,
            configured,
        }))
    }

    /// What its world calls for a message.
    pub(super) fn calls(&self) -> &dyn WorldCalls {
        self.template.calls()
    }

    /// What components of its world alone said once they were configured, as the world's file knows it.
    pub(super) fn configured(&self) -> &dyn Any {
        &*self.configured
    }

    /// What a message pays for it.
    pub fn cost(&self) -> Cost {
        self.cost.clone()
    }

    /// How many filters it has.
    pub(super) fn members(&self) -> u32 {
        self.members
    }

    /// Its limits.
    pub fn limits(&self) -> GuestLimits {
        self.limits
    }

    /// Where its instances have room.
    pub(super) fn room(&self) -> &Arc<GuestBudget> {
        &self.room
    }

    /// An instance for one message, in the room that is reserved for it or what it finds; `full` asks for one outside
    /// the pool.
    pub(super) fn instance(&self, full: bool, reserved: Option<GuestReservation>) -> Result<Instance, NotStarted> {
        if let InstanceSource::Ahead(ahead) = &self.source {
            return ahead.take(reserved);
        }
        let held = Arc::new(reserved.or_else(|| self.room.take(self.cost.memory)).ok_or(NotStarted::NoRoom)?);
        let outside = || self.outside_the_pool().unwrap_or(&self.template);
        let first = if full { outside() } else { &self.template };
        match self.start(first, &held) {
            Err(NotStarted::PoolFull) => self.start(outside(), &held),
            started => started,
        }
    }

    fn start(&self, template: &LinkedComponent, held: &Arc<GuestReservation>) -> Result<Instance, NotStarted> {
        template.instantiate(template.store(self.grants, self.limits.memory, self.limits.time, Arc::clone(held)))
    }

    /// The snapshot on the engine without a pool, loaded when it is first wanted.
    fn outside_the_pool(&self) -> Option<&LinkedComponent> {
        match &self.source {
            InstanceSource::Snapshot { engines, kept, key } if self.cost.pooled => {
                self.full.get_or_init(|| plain(engines, kept, key)).as_ref()
            }
            _ => None,
        }
    }
}

/// The snapshot on the engine without a pool; none where it, or its code, is not kept any more.
fn plain(engines: &Engines, kept: &CacheFolder, key: &str) -> Option<LinkedComponent> {
    let (_, snapshot) = kept.snapshot(key)?;
    LinkedComponent::new(&engines.plain, &snapshot)
        .inspect_err(|refused| tracing::warn!("a kept snapshot cannot be used: {refused}"))
        .ok()
}

/// Why an instance of a snapshot costs more than usual though it is pooled; empty where it does not.
fn copied(snapshot: &[u8]) -> String {
    if !is_copied(snapshot) {
        return String::new();
    }
    format!(
        "its memory is larger than {} MiB after `configure` and more than half empty, so that it is copied for each message; let it keep          what it loads close together",
        MAPPED >> 20
    )
}

/// The snapshot on the pooling engine where it fits a slot there, else on the plain one, with the reason.
fn fastest(
    engines: &Engines,
    snapshot: &[u8],
    limits: GuestLimits,
) -> Result<(LinkedComponent, bool, String), PrepareError> {
    let because = match &engines.fast {
        None => "instances cannot be pooled on this machine".to_owned(),
        Some(_) if limits.memory > SLOT_MEMORY => {
            format!("its memory limit is higher than the {} MiB of a slot of the pool", SLOT_MEMORY >> 20)
        }
        Some(fast) => match LinkedComponent::new(fast, snapshot) {
            Ok(template) => return Ok((template, true, copied(snapshot))),
            Err(refused) => format!("it does not fit the pool: {refused}"),
        },
    };
    Ok((LinkedComponent::new(&engines.plain, snapshot)?, false, because))
}
