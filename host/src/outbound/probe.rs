//! `transport test`: connects and signs in, sends nothing.

use super::smtp::{SmtpError, SmtpSession};
use super::{file, sendmail};
use crate::machine::Machine;
use crate::oauth2::{Owner, Tokens};
use postigo_model::configured::{Outlet, SmtpServer, Transport};
use std::sync::Arc;

/// Why a transport does not work.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The server, or the way to it.
    #[error(transparent)]
    Smtp(#[from] SmtpError),
    /// The command or the folder.
    #[error("{0}")]
    Local(String),
}

impl ProbeError {
    fn local(sentence: String) -> Self {
        Self::Local(of_host(sentence))
    }
}

/// The machine's sentences follow the key `host`; here they stand alone.
pub fn of_host(sentence: String) -> String {
    if sentence.starts_with("must ") { format!("Its host {sentence}") } else { sentence }
}

/// What the server says of itself, key and value; nothing is sent. `machine` has the commands and folders that may be
/// used.
pub async fn probe(
    transport: &Transport,
    tokens: &Arc<Tokens>,
    machine: &Machine,
) -> Result<Vec<(&'static str, String)>, ProbeError> {
    match transport.outlet() {
        Outlet::Folder(named) => {
            machine.folder(named).and_then(|folder| file::probe(&folder)).map_err(ProbeError::local)
        }
        Outlet::Sendmail(named) => machine.command(named).and_then(sendmail::probe).map_err(ProbeError::local),
        Outlet::Smtp(smtp) => {
            // Somebody waits: the provider is asked whatever it said before.
            tokens.for_transport_now(transport).await.map_err(SmtpError::from)?;
            let session = connect(transport, smtp, tokens).await.map_err(|(error, _)| error)?;
            let facts = session.facts().to_vec();
            session.end().await;
            Ok(facts)
        }
    }
}

/// Why there is no session, with the communication of the connection where there was one.
pub type NoSession = (SmtpError, Option<Box<postigo_model::communication::CommunicationRecord>>);

/// Connects and signs in. A token that the server refuses is asked for anew, once.
pub async fn connect(
    transport: &Transport,
    smtp: SmtpServer<'_>,
    tokens: &Arc<Tokens>,
) -> Result<SmtpSession, NoSession> {
    match connect_once(transport, smtp, tokens).await {
        Err((SmtpError::SignIn { .. }, _)) if transport.oauth2.is_some() => {
            tokens.refused(&Owner::Transport(transport.name.clone())).await;
            connect_once(transport, smtp, tokens).await
        }
        result => result,
    }
}

async fn connect_once(
    transport: &Transport,
    smtp: SmtpServer<'_>,
    tokens: &Arc<Tokens>,
) -> Result<SmtpSession, NoSession> {
    let credentials = tokens.for_transport(transport).await.map_err(|error| (error.into(), None))?;
    SmtpSession::open(transport, smtp, &credentials).await.map_err(|(error, record)| (error, Some(record)))
}
