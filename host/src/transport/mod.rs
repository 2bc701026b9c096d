//! Where mail comes from: IMAP servers, Maildirs and files. A transport hands bytes to [`crate::spool`], waits until they are durable
//! there, and only then tells the source that it need not keep them.

mod error;
pub mod files;
pub mod imap;
mod intake;
pub mod lmtp;
mod maildir;
pub mod mbox;
mod refusal;
pub mod sasl;
mod stream;
mod tls;

pub use error::FetchError;
pub use intake::{FetchReport, Intake, Rules};
pub use stream::{ConnectError, Stream};
pub use tls::TlsError;

use crate::config::{Account, Protocol};
use crate::oauth2::Tokens;
use crate::spool::{MessageFilter, SpoolStatus};

/// Fetches once what is new at the intake's account, and reports. `memory` belongs to this account, from one fetch to the next.
pub async fn fetch(mut intake: Intake, memory: &mut imap::Memory) -> FetchReport {
    let result = match intake.account.protocol {
        Protocol::Imap | Protocol::Imaps | Protocol::ImapStartTls => imap::fetch(&mut intake, memory).await,
        Protocol::Maildir => maildir::fetch(&mut intake).await,
        Protocol::Local => Ok(()),
        Protocol::Lmtp | Protocol::Smtp => Ok(()),
        Protocol::Pop3 | Protocol::Pop3s | Protocol::Pop3StartTls => Err(unsupported(&intake.account)),
    };
    intake.end(result).await
}

/// Connects and signs in, changing nothing at the source; what it said, key and value.
pub async fn probe(account: &Account, tokens: &Tokens) -> Result<Vec<(&'static str, String)>, FetchError> {
    match account.protocol {
        Protocol::Imap | Protocol::Imaps | Protocol::ImapStartTls => Ok(imap::probe(account, &tokens.for_account(account).await?).await?),
        Protocol::Maildir => {
            let files = files::maildir_files(std::path::Path::new(&account.host))?;
            Ok(vec![("folder", format!("{}: {} messages", account.host, files.len()))])
        }
        Protocol::Local => Ok(vec![("local", "The account fetches nothing; there is nothing to connect to.".to_owned())]),
        Protocol::Lmtp | Protocol::Smtp => Ok(lmtp::probe(account).await?),
        Protocol::Pop3 | Protocol::Pop3s | Protocol::Pop3StartTls => Err(unsupported(account)),
    }
}

/// Whether an account is fetched from at intervals.
pub fn is_polled(account: &Account) -> bool {
    matches!(account.protocol, Protocol::Imap | Protocol::Imaps | Protocol::ImapStartTls | Protocol::Maildir)
}

/// The messages of an account that wait or are worked on; one is enough to know.
pub fn on_their_way(account: &str) -> MessageFilter {
    MessageFilter { status: vec![SpoolStatus::Waiting, SpoolStatus::Claimed], account: Some(account.to_owned()), after: None, limit: 1 }
}

fn unsupported(account: &Account) -> FetchError {
    FetchError::Protocol {
        account: account.name.clone(),
        protocol: account.protocol.name(),
        why: "this version cannot speak; use imap, imaps, imap+starttls or maildir",
    }
}
