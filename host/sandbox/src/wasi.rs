//! WASI as an empty world: what components of other languages import is there, so that they start, and every use of it ends the call.

use super::sandbox::Sandbox;
use super::stopped::Stopped;
use postigo_model::guest::FailureKind;
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};

/// The host's type behind every resource of WASI. None is ever made.
struct Nothing;

/// Offers the WASI interfaces that a component imports, with functions that are denied.
pub(super) fn offer_nothing(linker: &mut Linker<Sandbox>, component: &Component, engine: &Engine) -> wasmtime::Result<()> {
    let ty = component.component_type();
    for (name, import) in ty.imports(engine) {
        let (true, ComponentItem::ComponentInstance(interface)) = (name.starts_with("wasi:"), import.ty) else { continue };
        let mut offered = linker.instance(name)?;
        for (item, export) in interface.exports(engine) {
            offer(&mut offered, name, item, &export.ty)?;
        }
    }
    Ok(())
}

fn offer(offered: &mut LinkerInstance<'_, Sandbox>, interface: &str, item: &str, ty: &ComponentItem) -> wasmtime::Result<()> {
    match ty {
        ComponentItem::ComponentFunc(_) => {
            let message = format!("the guest called {interface}#{item}: a filter has no files, network, clock or environment");
            offered.func_new(item, move |_, _, _, _| Err(Stopped::error(FailureKind::Denied, message.clone())))
        }
        ComponentItem::Resource(_) => offered.resource(item, ResourceType::host::<Nothing>(), |_, _| Ok(())),
        _ => Ok(()),
    }
}
