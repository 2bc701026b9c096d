//! What all worlds share, generated from `wit/`: the mail, the log and the assets that the host offers, and what every
//! component is asked.
#![allow(missing_docs, clippy::all, clippy::pedantic)]

use super::sandbox::StoreData;
use wasmtime::component::{HasSelf, Linker};

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "package postigo:host;
        world shared {
            import postigo:message/message@1.0.0;
            import postigo:plugin/log@1.1.0;
            import postigo:plugin/assets@1.1.0;
            export postigo:plugin/setup@1.1.0;
        }",
    world: "postigo:host/shared",
    imports: { default: trappable },
    with: { "postigo:message/message.mail": super::mail_handle::MailHandle },
});

/// The interfaces that components of every world may import, in the version that this host has.
pub(super) const OFFERED: [&str; 3] =
    ["postigo:message/message@1.0.0", "postigo:plugin/log@1.1.0", "postigo:plugin/assets@1.1.0"];

/// Offers them.
pub(super) fn offer(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    Shared::add_to_linker::<_, HasSelf<_>>(linker, |sandbox| sandbox)
}
