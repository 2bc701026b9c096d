//! The host's side of `wit/`, generated from it. One world is bound; `screening` is an optional export, looked up by name.
#![allow(missing_docs, clippy::all, clippy::pedantic)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "filter",
    imports: { default: trappable },
    with: { "postigo:filter/message.mail": super::mail_handle::MailHandle },
});
