//! What every component is asked outside any message, by the package `postigo:plugin` as it is today.

use super::bindings::exports::postigo::plugin::setup::{Description, FilterSettings, Problem};
use super::refusal::UploadRefusal;
use super::sandbox::StoreData;
use super::world::{Plugin, SelfDescription, function, typed};
use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, TypedFunc};

/// The interface.
pub(super) const SETUP: &str = "postigo:plugin/setup@1.1.0";

/// Where a component's answers are.
pub(super) struct PluginExports {
    describe: ComponentExportIndex,
    configure: ComponentExportIndex,
}

type Configure<'a> = TypedFunc<(&'a [FilterSettings],), (Result<(), Vec<Problem>>,)>;

impl PluginExports {
    /// Finds them.
    pub(super) fn find(component: &Component) -> Result<Self, UploadRefusal> {
        Self::find_in(component, SETUP)
    }

    /// Finds them in another interface that has the same functions.
    pub(super) fn find_in(component: &Component, interface: &str) -> Result<Self, UploadRefusal> {
        Ok(Self {
            describe: function(component, interface, "describe")?,
            configure: function(component, interface, "configure")?,
        })
    }

    /// Whether `configure` has its type.
    pub(super) fn check_configure(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<()> {
        let _: Configure<'_> = typed(store, instance, self.configure, "configure")?;
        Ok(())
    }

    /// Where `describe` is.
    pub(super) fn describe(&self) -> ComponentExportIndex {
        self.describe
    }
}

impl Plugin for PluginExports {
    fn check(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<()> {
        typed::<(), (Description,)>(store, instance, self.describe, "describe")?;
        self.check_configure(store, instance)
    }

    fn describe(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<SelfDescription> {
        let describe = instance.get_typed_func::<(), (Description,)>(&mut *store, self.describe)?;
        let (Description { name, version, summary, settings_schema, grants },) = describe.call(store, ())?;
        Ok(SelfDescription { name, version, summary, settings_schema, grants, ..SelfDescription::default() })
    }

    fn configure(
        &self,
        store: &mut Store<StoreData>,
        instance: &Instance,
        filters: &[FilterSettings],
    ) -> wasmtime::Result<Result<(), Vec<Problem>>> {
        let configure: Configure<'_> = instance.get_typed_func(&mut *store, self.configure)?;
        Ok(configure.call(store, (filters,))?.0)
    }
}
