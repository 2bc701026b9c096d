//! A group's snapshot: the component as it is after `configure`, as a new component. Made in the child process alone,
//! since its tools panic on guests that do not fit them.

use super::budget::GuestReservation;
use super::component::Outside;
use super::configure::{ask_configured, configure};
use super::contract::{GroupMember, GroupStart};
use super::engine::Loader;
use super::fit::world_of;
use super::limits::{CONFIGURE_AHEAD_TIME, CONFIGURE_TIME};
use super::refusal::PrepareError;
use super::sandbox::{Grants, StoreData};
use super::template::{Instance, LinkedComponent};
use postigo_model::guest::Grant;
use postigo_model::guest::GuestLimits;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use wasmtime_wizer::{ComponentContext, WasmtimeWizerComponent, Wizer};

/// The component with the parts that a snapshot needs, or why it cannot have them.
pub(super) fn instrument(component: &[u8]) -> Result<(ComponentContext<'_>, Vec<u8>), String> {
    catch_unwind(|| wizer().instrument_component(component))
        .map_err(|_| "the snapshot's tools cannot read it".to_owned())?
        .map_err(|error| format!("it cannot be snapshotted: {error:#}"))
}

/// Configures a group and takes its snapshot. Without one (the bytes are empty) the reason stands in [`GroupStart`].
pub(super) fn make(
    loader: &Loader,
    component: &[u8],
    members: &[GroupMember],
    grants: &[Grant],
    limits: GuestLimits,
) -> Result<(GroupStart, Vec<u8>), PrepareError> {
    Outside::read(component).and_then(|outside| world_of(&outside, loader.worlds))?;
    let start = |bytes: &[u8], time| {
        let template = LinkedComponent::new(loader, bytes).map_err(PrepareError::Refused)?;
        let held = Arc::new(GuestReservation::uncounted());
        let mut instance = start_in(time, &template, members, grants, limits, held)?;
        let of_world = ask_configured(&template, &mut instance, members)?;
        Ok::<_, PrepareError>((instance, of_world))
    };
    let because = match instrument(component) {
        Ok((context, instrumented)) => {
            let (instance, of_world) = start(&instrumented, CONFIGURE_TIME)?;
            let memory = instance.store.data().meter.used();
            let handles = instance.store.data().wasi.handles();
            let taken = if handles > 0 { Err(kept_handles(handles)) } else { take(&context, instance) };
            let usable = taken.and_then(|bytes| {
                LinkedComponent::new(loader, &bytes).map(|_| bytes).map_err(|refused| refused.to_string())
            });
            match usable {
                Ok(bytes) => return Ok((GroupStart { memory, unsnapshotable: None, of_world }, bytes)),
                Err(because) => because,
            }
        }
        Err(because) => because,
    };
    let (instance, of_world) = start(component, CONFIGURE_AHEAD_TIME)?;
    let memory = instance.store.data().meter.used();
    Ok((GroupStart { memory, unsnapshotable: Some(because), of_world }, Vec::new()))
}

/// A configured instance of what is compiled, for one message, which holds this of the host's room.
pub(super) fn start_configured(
    template: &LinkedComponent,
    members: &[GroupMember],
    grants: &[Grant],
    limits: GuestLimits,
    held: Arc<GuestReservation>,
) -> Result<Instance, PrepareError> {
    start_in(CONFIGURE_AHEAD_TIME, template, members, grants, limits, held)
}

/// A configured instance that is to be trained.
pub(super) fn start_to_train(
    template: &LinkedComponent,
    members: &[GroupMember],
    grants: &[Grant],
    memory: u64,
    held: Arc<GuestReservation>,
) -> Result<Instance, PrepareError> {
    let limits = GuestLimits { memory, ..GuestLimits::default() };
    start_in(CONFIGURE_TIME, template, members, grants, limits, held)
}

fn start_in(
    time: Duration,
    template: &LinkedComponent,
    members: &[GroupMember],
    grants: &[Grant],
    limits: GuestLimits,
    held: Arc<GuestReservation>,
) -> Result<Instance, PrepareError> {
    let store = template.store(Grants::of(grants), limits.memory, time, held);
    let mut instance = template.instantiate(store).map_err(|not_started| PrepareError::Failed(not_started.into()))?;
    configure(template, &mut instance, members, grants)?;
    Ok(instance)
}

/// A handle is more than a number in memory: in an instance of the snapshot it would stand for nothing, and end the
/// first call that uses it.
fn kept_handles(handles: u32) -> String {
    let handles = if handles == 1 { "1 handle".to_owned() } else { format!("{handles} handles") };
    format!(
        "after `configure` it still has {handles} of WASI, such as a stream that it printed to, which a snapshot cannot keep; drop \
         them, or print only while a mail is looked at"
    )
}

fn take(context: &ComponentContext<'_>, instance: Instance) -> Result<Vec<u8>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    let Instance { mut store, raw, .. } = instance;
    StoreData::open_for_snapshot(&mut store);
    let taking = || {
        let mut state = WasmtimeWizerComponent { store: &mut store, instance: raw };
        runtime.block_on(wizer().snapshot_component(context, &mut state))
    };
    catch_unwind(AssertUnwindSafe(taking))
        .map_err(|_| "its memory cannot be read out: it may not grow any more".to_owned())?
        .map_err(|error| format!("it cannot be snapshotted: {error:#}"))
}

fn wizer() -> Wizer {
    let mut wizer = Wizer::new();
    wizer.keep_init_func(true);
    wizer
}
