//! Where mail comes from: IMAP and POP3 servers, Maildirs and files. A transport hands bytes to [`crate::spool`], waits
//! until they are durable there, and only then tells the source that it need not keep them.

mod error;
mod experience;
pub mod files;
pub mod imap;
mod intake;
pub mod lmtp;
mod maildir;
mod maildir_folder;
pub mod mbox;
#[cfg(test)]
mod mutation;
pub mod pop3;
mod read_error;
mod refusal;
mod suspects;

pub use error::FetchError;
pub use intake::{FetchReport, Intake, IntakeRules};
pub use read_error::ReadError;

use crate::machine::Machine;
use crate::oauth2::Tokens;
use crate::spool::{MessageFilter, Spool};
use crate::store::{StoreError, mailboxes};
use postigo_model::configured::{Account, ImapFolder, Source};
use postigo_model::spool::SpoolStatus;
use postigo_supervision::{WorkKind, caught};
use std::sync::Arc;

/// What a process remembers of an account between two fetches; whatever is lost with it is only noticed anew.
#[derive(Debug, Default)]
pub struct AccountMemory {
    imap: imap::MailboxMemory,
    pop3: pop3::Memory,
}

impl AccountMemory {
    /// A memory that keeps an IMAP connection open between two fetches, where the account wishes IDLE and the server
    /// has it.
    pub fn lasting() -> Self {
        Self { imap: imap::MailboxMemory::lasting(), ..Self::default() }
    }

    /// Waits until the source tells of new mail by itself; forever where it cannot. May be dropped at any moment.
    pub async fn wait_for_news(&mut self) {
        self.imap.wait_for_news().await;
    }

    /// Drops what was kept open: where it stands is not known any more.
    pub fn disconnect(&mut self) {
        self.imap.disconnect();
    }

    /// Ends what was kept open.
    pub async fn close(self) {
        self.imap.close().await;
    }
}

/// Fetches once what is new at the intake's account, and reports. `memory` belongs to this account, from one fetch to
/// the next. Whatever ends the fetch, a panic among it, ends its communication with the reason.
pub async fn fetch(mut intake: Intake, memory: &mut AccountMemory) -> FetchReport {
    let given_up = intake.given_up();
    let account = Arc::clone(&intake.account);
    let fetched = caught(WorkKind::Fetch, &account.name, fetch_from_source(&mut intake, memory));
    let result = tokio::select! {
        fetched = fetched => fetched.unwrap_or_else(|panic| Err(FetchError::Panicked(panic))),
        // As after a crash: what is durable is known, and the server is told by the next fetch.
        () = given_up => Err(FetchError::BrokenOff),
    };
    if matches!(result, Err(FetchError::Panicked(_) | FetchError::BrokenOff)) {
        memory.disconnect();
    }
    intake.end(result).await
}

async fn fetch_from_source(intake: &mut Intake, memory: &mut AccountMemory) -> Result<(), FetchError> {
    let account = Arc::clone(&intake.account);
    match account.source() {
        Source::Imap(source) => imap::fetch(intake, source, &mut memory.imap).await,
        Source::Maildir(path) => maildir::fetch(intake, path).await,
        Source::Pop3(server) => pop3::fetch(intake, server, &mut memory.pop3).await,
        Source::Local | Source::Listener(_) => Ok(()),
    }
}

/// Connects and signs in, changing nothing at the source; what it said, key and value. `machine` has the folders that
/// the daemon was given.
pub async fn probe(
    account: &Account,
    tokens: &Arc<Tokens>,
    machine: &Machine,
) -> Result<Vec<(&'static str, String)>, FetchError> {
    match account.source() {
        Source::Imap(source) => Ok(imap::probe(&account.name, source, &tokens.for_account_now(account).await?).await?),
        Source::Pop3(server) => Ok(pop3::probe(server, &tokens.for_account_now(account).await?).await?),
        Source::Maildir(path) => {
            let listing = maildir_folder::Maildir::open(&machine.maildir(path))?.list()?;
            Ok(vec![("folder", format!("{}: {} messages", path.display(), listing.messages.len()))])
        }
        Source::Local => Ok(vec![("local", "The account fetches nothing; there is nothing to connect to.".to_owned())]),
        Source::Listener(listener) => Ok(lmtp::probe(listener.endpoint, &account.tls).await?),
    }
}

/// Whether held messages of an account go into a folder of its server.
pub fn puts_aside(account: &Account) -> bool {
    matches!(account.source(), Source::Imap(ImapFolder { failed_folder: Some(_), .. }))
}

/// Whether a held message of an account is still to be put into its folder.
pub async fn is_to_be_put_aside(spool: &Spool, account: &Account) -> Result<bool, StoreError> {
    Ok(!mailboxes::held(&mut *spool.store().read().await?, &account.name, 1).await?.is_empty())
}

/// The messages of an account that wait or are worked on; one is enough to know.
pub fn on_their_way(account: &str) -> MessageFilter {
    MessageFilter {
        status: vec![SpoolStatus::Waiting, SpoolStatus::Claimed],
        account: Some(account.to_owned()),
        after: None,
        limit: 1,
    }
}
