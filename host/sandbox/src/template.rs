//! A component that is compiled for an engine, linked and checked, ready to be instantiated.

use super::bindings::{Filter, FilterIndices};
use super::component::Outside;
use super::contract::Failure;
use super::contract::HOST_VERSION;
use super::engine;
use super::mail_handle::MailHandle;
use super::refusal::Refused;
use super::room::Held;
use super::sandbox::{Grants, Sandbox};
use super::wasi;
use postigo_model::guest::FailureKind;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Resource, TypedFunc};
use wasmtime::{Engine, PoolConcurrencyLimitError, Store};

type Screen = TypedFunc<(Resource<MailHandle>,), (Vec<u32>,)>;

/// Compiled and linked.
pub(super) struct Template {
    engine: Engine,
    pre: InstancePre<Sandbox>,
    guest: FilterIndices,
    screen: Option<ComponentExportIndex>,
}

/// An instance, alone in its store.
pub(super) struct Instance {
    pub(super) store: Store<Sandbox>,
    pub(super) guest: Filter,
    pub(super) screen: Option<Screen>,
    pub(super) raw: wasmtime::component::Instance,
    /// What it holds of the host's room: given back last, when its memory is.
    pub(super) held: Arc<Held>,
}

/// Why there is no instance.
pub(super) enum NotStarted {
    /// The guest's fault.
    Guest(Failure),
    /// The engine's pool is used up.
    PoolFull,
    /// The host's other guests leave no room for it at the moment.
    NoRoom,
}

impl From<NotStarted> for Failure {
    fn from(not_started: NotStarted) -> Self {
        match not_started {
            NotStarted::Guest(failure) => failure,
            NotStarted::PoolFull => Self { kind: FailureKind::Memory, message: "too many guests live at once on this host".into() },
            NotStarted::NoRoom => Self { kind: FailureKind::Memory, message: "the host's other guests left no room for this one".into() },
        }
    }
}

impl Template {
    /// Finds the code on disk; an engine with a compiler, which a child has, compiles else. Blocks.
    pub(super) fn new(engine: &Engine, component: &[u8]) -> Result<Self, Refused> {
        let outside = Outside::read(component)?;
        let compiled = Component::new(engine, component).map_err(|error| Refused::Compile(format!("{error:#}")))?;
        Self::of_compiled(engine, &compiled, &outside)
    }

    fn of_compiled(engine: &Engine, compiled: &Component, outside: &Outside) -> Result<Self, Refused> {
        let link = || {
            let mut linker = engine::linker(engine)?;
            if outside.wants_wasi() {
                wasi::offer_nothing(&mut linker, compiled, engine)?;
            }
            linker.instantiate_pre(compiled)
        };
        let pre = link().map_err(|error| {
            let said = format!("{error:#}");
            let named = outside.imports.iter().find(|name| said.contains(name.as_str())).cloned();
            let import = named.unwrap_or_else(|| outside.imports.join(", "));
            Refused::Import { import, reason: format!("it does not fit what Postigo's contract {HOST_VERSION} offers: {said}") }
        })?;
        let guest = FilterIndices::new(&pre).map_err(|error| {
            Refused::Export(format!("the component's export `guest` does not fit postigo:filter@{HOST_VERSION}: {error:#}"))
        })?;
        let screen = outside.screening().and_then(|name| {
            let interface = compiled.get_export_index(None, name)?;
            compiled.get_export_index(Some(&interface), "screen")
        });
        Ok(Self { engine: engine.clone(), pre, guest, screen })
    }

    /// Bytes of what was compiled: code, and the first contents of memories.
    pub(super) fn compiled_bytes(&self) -> usize {
        let range = self.pre.component().image_range();
        range.end.addr().saturating_sub(range.start.addr())
    }

    /// Whether the component screens.
    pub(super) fn screens(&self) -> bool {
        self.screen.is_some()
    }

    /// A store for an instance of it, which holds this of the host's room. The time of its start runs from now.
    pub(super) fn store(&self, grants: Grants, memory: u64, time: Duration, held: Arc<Held>) -> Store<Sandbox> {
        Sandbox::store(&self.engine, grants, memory, time, held)
    }

    /// A fresh instance in a store.
    pub(super) fn instantiate(&self, mut store: Store<Sandbox>) -> Result<Instance, NotStarted> {
        let made = self.pre.instantiate(&mut store).and_then(|raw| {
            let guest = self.guest.load(&mut store, &raw)?;
            let screen = self.screen.as_ref().map(|index| raw.get_typed_func(&mut store, index)).transpose()?;
            Ok((raw, guest, screen))
        });
        match made {
            Ok((raw, guest, screen)) => {
                let held = Arc::clone(store.data().meter.held());
                Ok(Instance { store, guest, screen, raw, held })
            }
            Err(_) if store.data().meter.held().was_short() => Err(NotStarted::NoRoom),
            Err(error) if error.is::<PoolConcurrencyLimitError>() => Err(NotStarted::PoolFull),
            Err(error) => {
                let mut failure = store.data().failure(&error);
                // What ends an instantiation besides the guest's own code is a want of memories, tables or instances.
                if failure.kind == FailureKind::Output {
                    failure = Failure { kind: FailureKind::Memory, message: format!("the guest could not be started: {error:#}") };
                }
                Err(NotStarted::Guest(failure))
            }
        }
    }
}
