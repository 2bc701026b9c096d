//! Accounts and transports tried out: Postigo connects and signs in, and leaves mailbox and queue alone.

use super::{ServiceError, configured};
use crate::commlog::{Communication, ShownWait, save};
use crate::machine::Machine;
use crate::oauth2::Tokens;
use crate::store::Store;
use crate::{inbound, outbound};
use postigo_model::communication::{CommunicationKind, Priority};
use postigo_model::configured::{Account, Configuration, Outlet, Transport};
use std::sync::Arc;

/// What came of it.
pub struct ProbeResult {
    /// What the server said of itself, key and value, in the order in which it said so; nothing where it does not
    /// work.
    pub facts: Vec<(&'static str, String)>,
    /// Why it does not work, a sentence; none where it does.
    pub error: Option<String>,
}

impl<E: std::error::Error> From<Result<Vec<(&'static str, String)>, E>> for ProbeResult {
    fn from(probed: Result<Vec<(&'static str, String)>, E>) -> Self {
        let error = probed.as_ref().err().map(ToString::to_string);
        Self { facts: probed.unwrap_or_default(), error }
    }
}

/// Tries, and shows it in the communication log from its beginning, with what is waited for.
async fn logged<E: std::error::Error>(
    store: &Store,
    mut log: Communication,
    probe: impl Future<Output = Result<Vec<(&'static str, String)>, E>>,
) -> ProbeResult {
    const KEY: &str = "test";
    log.entry(Priority::Info, KEY, "Somebody tries it out: Postigo connects and signs in, and does nothing else.");
    save(store.clone(), log.so_far()).await;
    let probed: ProbeResult = ShownWait::of(store, &log, KEY).during(probe).await.into();
    for (key, fact) in &probed.facts {
        log.entry(Priority::Info, KEY, format!("{key}: {fact}"));
    }
    if let Some(error) = &probed.error {
        log.entry(Priority::Error, KEY, error.as_str());
    }
    save(store.clone(), log.finish(probed.error.is_some())).await;
    probed
}

/// Connects to an account's server and signs in. `machine` has the folders that the daemon was given; none: whoever
/// asks has a shell on this machine, and a Maildir is tried as the configuration has it.
pub async fn account(
    configuration: &Configuration,
    name: &str,
    store: &Store,
    tokens: &Arc<Tokens>,
    machine: Option<&Machine>,
) -> Result<ProbeResult, ServiceError> {
    let account: &Account = configured::find(configuration, name)?;
    let of_user = Machine::default();
    let log = Communication::start(CommunicationKind::Connection, name, account.protocol.name());
    Ok(logged(store, log, Box::pin(inbound::probe(account, tokens, machine.unwrap_or(&of_user)))).await)
}

/// Connects to a transport's server and signs in; nothing is sent. `machine` has the commands and folders that the
/// daemon was given; none: whoever asks has a shell on this machine, and what the transport names is tried with their
/// rights.
pub async fn transport(
    configuration: &Configuration,
    name: &str,
    store: &Store,
    tokens: &Arc<Tokens>,
    machine: Option<&Machine>,
) -> Result<ProbeResult, ServiceError> {
    let transport: &Transport = configured::find(configuration, name)?;
    let of_user = Machine::of_user(transport);
    let log = Communication::start(CommunicationKind::Connection, name, transport.kind.name()).outgoing();
    let mut probed =
        logged(store, log, Box::pin(outbound::probe(transport, tokens, machine.unwrap_or(&of_user)))).await;
    if machine.is_none() && probed.error.is_none() && !transport.outlet().is_smtp() {
        // What the daemon was started with, it alone knows.
        let what = if matches!(transport.outlet(), Outlet::Folder(_)) { "folder" } else { "command" };
        let daemon = format!("it can use this if it was started with --allow-{what} NAME=PATH; REST tests it there");
        probed.facts.push(("daemon", daemon));
    }
    Ok(probed)
}
