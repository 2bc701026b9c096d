//! What all worlds share, generated from `wit/`: the mail and the log that the host offers, and what every component is asked.
#![allow(missing_docs, clippy::all, clippy::pedantic)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "filter",
    imports: { default: trappable },
    with: { "postigo:filter/message.mail": super::mail_handle::MailHandle },
});

pub(super) use exports::postigo::filter::guest::{FilterSettings, Problem};

/// The interfaces that components of every world may import, in the version that this host has.
pub(super) const OFFERED: [&str; 2] = ["postigo:filter/message@1.0.0", "postigo:filter/log@1.0.0"];

/// Offers them.
pub(super) fn offer(linker: &mut wasmtime::component::Linker<super::sandbox::Sandbox>) -> wasmtime::Result<()> {
    Filter::add_to_linker::<_, wasmtime::component::HasSelf<_>>(linker, |sandbox| sandbox)
}
