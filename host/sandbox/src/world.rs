//! What the core knows of a world of the contract: how a component of it is told, what it may import, and what its
//! exports are asked.
//!
//! A world is one file of `worlds/`. The list of them is handed down from above, so that nothing here names one.

use super::bindings::exports::postigo::plugin::setup::{FilterSettings, Problem};
use super::contract::{CallFailure, WorldDescription};
use super::lesson::{LabelledExample, LearningTask};
use super::mail_handle::MailHandle;
use super::refusal::UploadRefusal;
use super::sandbox::StoreData;
use std::any::Any;
use wasmtime::Store;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, Lift, Linker, Lower, Resource, TypedFunc,
};

/// The worlds of a host. A component is of the one whose exports it has; their order decides nothing.
pub(super) type Worlds = &'static [&'static dyn World];

/// A world of the contract in one version.
pub(super) trait World: Send + Sync {
    /// Its name, for sentences: `postigo:filter/filter@1.1.0`.
    fn name(&self) -> &'static str;

    /// The interfaces that its components must export, in the version that this host has; by the first a component of
    /// it is told.
    fn exports(&self) -> &'static [&'static str];

    /// The interfaces that its components may export besides, in the version that this host has.
    fn optional_exports(&self) -> &'static [&'static str] {
        &[]
    }

    /// The interfaces that its components may import besides the ones that all may, in the version that this host has.
    fn imports(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether it is there for components that were built long ago, so that nobody is told to build against it.
    fn is_old(&self) -> bool {
        false
    }

    /// Offers [`World::imports`].
    fn offer(&self, _linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
        Ok(())
    }

    /// Finds the exports of a component of it.
    fn find(&self, component: &Component) -> Result<Exports, UploadRefusal>;
}

/// What a component exports, found once.
pub(super) struct Exports {
    /// What it is asked outside any message.
    pub(super) plugin: Box<dyn Plugin>,
    /// What it is called for with a message.
    pub(super) calls: Box<dyn WorldCalls>,
}

/// What every component is asked once, outside any message.
pub(super) trait Plugin: Send + Sync {
    /// Whether the functions have the types that they must; an error names the first that has not.
    fn check(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<()>;

    /// What it says of itself.
    fn describe(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<SelfDescription>;

    /// Gives it the settings of all filters of a group; its mistakes come back.
    fn configure(
        &self,
        store: &mut Store<StoreData>,
        instance: &Instance,
        filters: &[FilterSettings],
    ) -> wasmtime::Result<Result<(), Vec<Problem>>>;
}

/// What a world's components are called for with a message. The world's own file alone knows the calls.
pub(super) trait WorldCalls: Any + Send + Sync {
    /// The calls of one instance, as the world's file knows them.
    fn of_instance(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<Box<dyn Any + Send>>;

    /// Whether the functions have the types that they must; an error names the first that has not.
    fn check(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<()> {
        self.of_instance(store, instance).map(drop)
    }

    /// Adds what components of the world alone say of themselves, `described.of_world`.
    fn describe(
        &self,
        _store: &mut Store<StoreData>,
        _instance: &Instance,
        _described: &mut SelfDescription,
    ) -> wasmtime::Result<()> {
        Ok(())
    }

    /// Whether that is as it must be; else why not, a sentence.
    fn check_description(&self, _described: &WorldDescription) -> Result<(), String> {
        Ok(())
    }

    /// Asks an instance that was configured for so many filters what components of the world alone say then, and checks
    /// it.
    fn ask_configured(
        &self,
        _store: &mut Store<StoreData>,
        _instance: &Instance,
        _filters: u32,
    ) -> wasmtime::Result<Result<WorldDescription, CallFailure>> {
        Ok(Ok(WorldDescription::default()))
    }

    /// That, as the world's file looks it up at each call.
    fn configured(&self, _said: &WorldDescription) -> Box<dyn Any + Send + Sync> {
        Box::new(())
    }

    /// How the component is trained; none where it is not.
    fn training(&self) -> Option<&dyn TrainingCalls> {
        None
    }
}

/// The calls by which a component is trained.
pub(super) trait TrainingCalls: Send + Sync {
    /// The formats of models that the component reads, unchecked.
    fn formats(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<Vec<String>>;

    /// Begins to train the one filter that was configured; how often it wants to see the examples.
    fn begin(
        &self,
        store: &mut Store<StoreData>,
        instance: &Instance,
        task: &LearningTask,
    ) -> wasmtime::Result<Result<u32, String>>;

    /// Hands it an example.
    fn learn(
        &self,
        store: &mut Store<StoreData>,
        instance: &Instance,
        mail: Resource<MailHandle>,
        example: &LabelledExample,
    ) -> wasmtime::Result<Result<(), String>>;

    /// Ends; the model, unchecked.
    fn finish(&self, store: &mut Store<StoreData>, instance: &Instance) -> wasmtime::Result<Result<RawModel, String>>;
}

/// A model as the guest gave it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RawModel {
    pub(super) bytes: Vec<u8>,
    pub(super) format: String,
    pub(super) summary: String,
}

/// What a component says of itself, unchecked.
#[derive(Debug, Clone, Default)]
pub(super) struct SelfDescription {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) summary: String,
    pub(super) settings_schema: String,
    pub(super) grants: Vec<String>,
    /// What components of its world alone say.
    pub(super) of_world: WorldDescription,
}

/// The place of a function in an exported interface. An interface that is there in another version of the same major
/// number will do.
pub(super) fn function(
    component: &Component,
    interface: &str,
    name: &str,
) -> Result<ComponentExportIndex, UploadRefusal> {
    let missing = |what: String| UploadRefusal::Export(format!("the component does not export {what}"));
    let exported = component.get_export_index(None, interface).ok_or_else(|| missing(interface.to_owned()))?;
    component
        .get_export_index(Some(&exported), name)
        .ok_or_else(|| missing(format!("the function `{name}` of {interface}")))
}

/// An exported function of an instance; an error names it where it has another type.
pub(super) fn typed<Params, Return>(
    store: &mut Store<StoreData>,
    instance: &Instance,
    place: ComponentExportIndex,
    name: &str,
) -> wasmtime::Result<TypedFunc<Params, Return>>
where
    Params: ComponentNamedList + Lower,
    Return: ComponentNamedList + Lift,
{
    instance
        .get_typed_func(store, place)
        .map_err(|error| error.context(format!("the exported function `{name}` has another type")))
}

/// The same where the interface is optional.
pub(super) fn optional_function(
    component: &Component,
    interface: &str,
    name: &str,
) -> Result<Option<ComponentExportIndex>, UploadRefusal> {
    component.get_export_index(None, interface).map(|_| function(component, interface, name)).transpose()
}
