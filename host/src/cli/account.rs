//! `account`: where mail comes from.

use super::output::word;
use super::{Context, Failed};
use crate::config::form::write;
use serde_json::Value;

/// `account …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the accounts
    List {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Connect and sign in, say what the server said, leave the mailbox alone
    Test {
        /// The account's name
        name: String,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        match self {
            Self::List { limit } => list(limit.unwrap_or(usize::MAX), context).await,
            Self::Test { .. } => Err(Failed::because("This command is not part of this build.")),
        }
    }
}

async fn list(limit: usize, context: &Context) -> Result<(), Failed> {
    let configuration = context.configuration().await?;
    let accounts: Vec<Value> = configuration.accounts.values().take(limit).map(|account| Value::Object(write(account))).collect();
    context.output().list(&["ACCOUNT", "PROTOCOL", "HOST", "USER", "FOLDER", "TRUSTED", "DISPATCH", "VALID"], &accounts, |account| {
        ["name", "protocol", "host", "user", "folder", "trusted", "dispatch", "valid"].map(|key| word(account, key)).to_vec()
    });
    Ok(())
}
