//! `account`: where mail comes from.

use super::output::word;
use super::{Context, Failed};
use crate::config::form::write;
use crate::transport;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

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
            Self::Test { name } => test(context, &name).await,
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

async fn test(context: &Context, name: &str) -> Result<(), Failed> {
    let configuration = context.configuration().await?;
    let account = configuration.accounts.get(name).ok_or_else(|| unknown(name))?;
    let facts = transport::probe(account, &*context.tokens().await?).await?;
    let mut document = Map::from_iter([("account".to_owned(), json!(name))]);
    let mut text = format!("The account {name} works.\n");
    for (key, value) in facts {
        let _ = writeln!(text, "  {key:<13}{value}");
        document.insert(key.to_owned(), Value::from(value));
    }
    context.output().document(&Value::Object(document), || text);
    Ok(())
}

pub(super) fn unknown(name: &str) -> Failed {
    Failed::because(format!("There is no account \"{name}\"; `postigo account list` shows those that exist."))
}
