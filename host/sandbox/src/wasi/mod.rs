//! WASI 0.2 as an empty world: what components of other languages import is there, so that they start, and nothing is
//! behind it.
//!
//! No files, arguments, variables, network or input; a clock that stands still; random numbers that are the same every
//! time. What a guest writes to standard output and error becomes lines of its log. Nothing here reaches for anything
//! of this machine: the few functions that need an answer of their own have it in [`answers`], all others answer by
//! what they would return ([`nothing`]).

mod answers;
mod interfaces;
mod nothing;
mod output;
mod state;

pub(super) use interfaces::check;
pub(super) use output::OutputStream;
pub(super) use state::Wasi;

use super::sandbox::StoreData;
use state::WasiHandle;
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, ResourceType};

/// Offers the WASI interfaces that a component imports.
pub(super) fn offer_nothing(
    linker: &mut Linker<StoreData>,
    component: &Component,
    engine: &Engine,
) -> wasmtime::Result<()> {
    let ty = component.component_type();
    for (name, import) in ty.imports(engine) {
        let (true, ComponentItem::ComponentInstance(interface)) = (name.starts_with("wasi:"), import.ty) else {
            continue;
        };
        let mut offered = linker.instance(name)?;
        let unversioned = name.split('@').next().unwrap_or(name);
        for (item, export) in interface.exports(engine) {
            match export.ty {
                ComponentItem::Resource(_) => {
                    offered.resource(item, ResourceType::host::<WasiHandle>(), |mut store, _| {
                        store.data_mut().wasi.take_back();
                        Ok(())
                    })?;
                }
                ComponentItem::ComponentFunc(ty) => match answers::answer(unversioned, item) {
                    Some(answer) => answers::offer(&mut offered, item, answer)?,
                    None => nothing::offer(&mut offered, name, item, &ty)?,
                },
                _ => {}
            }
        }
    }
    Ok(())
}
