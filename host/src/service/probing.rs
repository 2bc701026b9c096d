//! Accounts and transports tried out: Postigo connects and signs in, and leaves mailbox and queue alone.

use super::{ServiceError, configured};
use crate::machine::Machine;
use crate::oauth2::Tokens;
use crate::{inbound, outbound};
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

/// Connects to an account's server and signs in. `machine` has the folders that the daemon was given; none: whoever
/// asks has a shell on this machine, and a Maildir is tried as the configuration has it.
pub async fn account(
    configuration: &Configuration,
    name: &str,
    tokens: &Arc<Tokens>,
    machine: Option<&Machine>,
) -> Result<ProbeResult, ServiceError> {
    let account: &Account = configured::find(configuration, name)?;
    let of_user = Machine::default();
    Ok(inbound::probe(account, tokens, machine.unwrap_or(&of_user)).await.into())
}

/// Connects to a transport's server and signs in; nothing is sent. `machine` has the commands and folders that the
/// daemon was given; none: whoever asks has a shell on this machine, and what the transport names is tried with their
/// rights.
pub async fn transport(
    configuration: &Configuration,
    name: &str,
    tokens: &Arc<Tokens>,
    machine: Option<&Machine>,
) -> Result<ProbeResult, ServiceError> {
    let transport: &Transport = configured::find(configuration, name)?;
    let of_user = Machine::of_user(transport);
    let mut probed = ProbeResult::from(outbound::probe(transport, tokens, machine.unwrap_or(&of_user)).await);
    if machine.is_none() && probed.error.is_none() && !transport.outlet().is_smtp() {
        // What the daemon was started with, it alone knows.
        let what = if matches!(transport.outlet(), Outlet::Folder(_)) { "folder" } else { "command" };
        let daemon = format!("it can use this if it was started with --allow-{what} NAME=PATH; REST tests it there");
        probed.facts.push(("daemon", daemon));
    }
    Ok(probed)
}
