//! A component that is compiled for an engine, linked and checked, ready to be instantiated.

use super::budget::GuestReservation;
use super::component::Outside;
use super::contract::CallFailure;
use super::engine::Loader;
use super::fit::{here, world_of};
use super::refusal::UploadRefusal;
use super::sandbox::{Grants, StoreData};
use super::wasi;
use super::world::{Exports, Plugin, WorldCalls};
use postigo_model::guest::FailureKind;
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{Component, InstancePre};
use wasmtime::{Engine, PoolConcurrencyLimitError, Store};

/// Compiled and linked.
pub(super) struct LinkedComponent {
    engine: Engine,
    pre: InstancePre<StoreData>,
    world: &'static str,
    exports: Exports,
}

/// An instance, alone in its store.
pub(super) struct Instance {
    pub(super) store: Store<StoreData>,
    /// What it is called for with a message, as the file of its world knows it.
    pub(super) calls: Box<dyn Any + Send>,
    pub(super) raw: wasmtime::component::Instance,
    /// What it holds of the host's room: given back last, when its memory is.
    pub(super) held: Arc<GuestReservation>,
}

/// Why there is no instance.
pub(super) enum NotStarted {
    /// The guest's fault.
    Guest(CallFailure),
    /// The engine's pool is used up.
    PoolFull,
    /// The host's other guests leave no room for it at the moment.
    NoRoom,
}

impl From<NotStarted> for CallFailure {
    fn from(not_started: NotStarted) -> Self {
        match not_started {
            NotStarted::Guest(failure) => failure,
            NotStarted::PoolFull => {
                Self { kind: FailureKind::Memory, message: "too many guests live at once on this host".into() }
            }
            NotStarted::NoRoom => {
                Self { kind: FailureKind::Memory, message: "the host's other guests left no room for this one".into() }
            }
        }
    }
}

impl LinkedComponent {
    /// Finds the code on disk; an engine with a compiler, which a child has, compiles else. Blocks.
    pub(super) fn new(loader: &Loader, component: &[u8]) -> Result<Self, UploadRefusal> {
        let outside = Outside::read(component)?;
        let world = world_of(&outside, loader.worlds)?;
        let compiled =
            Component::new(&loader.engine, component).map_err(|error| UploadRefusal::Compile(format!("{error:#}")))?;
        let link = || {
            let mut linker = loader.linker(world)?;
            if outside.wants_wasi() {
                wasi::offer_nothing(&mut linker, &compiled, &loader.engine)?;
            }
            linker.instantiate_pre(&compiled)
        };
        let pre = link().map_err(|error| {
            let said = format!("{error:#}");
            let named = outside.imports.iter().find(|name| said.contains(name.as_str())).cloned();
            let import = named.unwrap_or_else(|| outside.imports.join(", "));
            let reason = format!("it does not fit {}, which this Postigo has: {said}", here(&import, world));
            UploadRefusal::Import { import, reason }
        })?;
        let exports = world.find(&compiled)?;
        Ok(Self { engine: loader.engine.clone(), pre, world: world.name(), exports })
    }

    /// Refuses a component whose exports have other types than its world says.
    pub(super) fn check_exports(&self, instance: &mut Instance) -> Result<(), UploadRefusal> {
        let Instance { store, raw, .. } = instance;
        self.plugin().check(store, raw).and_then(|()| self.calls().check(store, raw)).map_err(|error| {
            UploadRefusal::Export(format!(
                "the component does not fit {}, which this Postigo has: {error:#}",
                self.world
            ))
        })
    }

    /// Bytes of what was compiled: code, and the first contents of memories.
    pub(super) fn compiled_bytes(&self) -> usize {
        let range = self.pre.component().image_range();
        range.end.addr().saturating_sub(range.start.addr())
    }

    /// What it is asked outside any message.
    pub(super) fn plugin(&self) -> &dyn Plugin {
        &*self.exports.plugin
    }

    /// What it is called for with a message.
    pub(super) fn calls(&self) -> &dyn WorldCalls {
        &*self.exports.calls
    }

    /// A store for an instance of it, which holds this of the host's room. The time of its start runs from now.
    pub(super) fn store(
        &self,
        grants: Grants,
        memory: u64,
        time: Duration,
        held: Arc<GuestReservation>,
    ) -> Store<StoreData> {
        StoreData::store(&self.engine, grants, memory, time, held)
    }

    /// A fresh instance in a store.
    pub(super) fn instantiate(&self, mut store: Store<StoreData>) -> Result<Instance, NotStarted> {
        match self.pre.instantiate(&mut store) {
            Ok(raw) => {
                let calls = self.exports.calls.of_instance(&mut store, &raw).map_err(|error| {
                    let message =
                        format!("the guest's exports do not fit {}, which this Postigo has: {error:#}", self.world);
                    NotStarted::Guest(CallFailure { kind: FailureKind::Output, message })
                })?;
                let held = Arc::clone(store.data().meter.held());
                Ok(Instance { store, calls, raw, held })
            }
            Err(_) if store.data().meter.held().was_short() => Err(NotStarted::NoRoom),
            Err(error) if error.is::<PoolConcurrencyLimitError>() => Err(NotStarted::PoolFull),
            Err(error) => {
                let mut failure = store.data().failure(&error);
                // What ends an instantiation besides the guest's own code is a want of memories, tables or instances.
                if failure.kind == FailureKind::Output {
                    failure = CallFailure {
                        kind: FailureKind::Memory,
                        message: format!("the guest could not be started: {error:#}"),
                    };
                }
                Err(NotStarted::Guest(failure))
            }
        }
    }
}
