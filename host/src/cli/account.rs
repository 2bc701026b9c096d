//! `account`: where mail comes from.

use super::output::{lines, word};
use super::sign_in::{self, SignIn, SignOut};
use super::{Context, Failed};
use crate::config::form::write;
use crate::oauth2::Owner;
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
    /// Show one with all its keys, and how its sign-in stands
    Show {
        /// The account's name
        name: String,
    },
    /// Sign in by OAuth2: a browser, or a code to type at another device
    SignIn(SignIn),
    /// Forget its OAuth2 tokens
    SignOut(SignOut),
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
            Self::Show { name } => show(context, &name).await,
            Self::SignIn(sign_in) => sign_in.run(context, Owner::Account).await,
            Self::SignOut(sign_out) => sign_out.run(context, Owner::Account).await,
            Self::Test { name } => test(context, &name).await,
        }
    }
}

async fn list(limit: usize, context: &Context) -> Result<(), Failed> {
    let configuration = context.configuration().await?;
    let mut accounts = Vec::new();
    for account in configuration.accounts.values().take(limit) {
        let mut shown = Value::Object(write(account));
        sign_in::attach(context, &Owner::Account(account.name.clone()), &mut shown).await?;
        accounts.push(shown);
    }
    let headings = ["ACCOUNT", "PROTOCOL", "HOST", "USER", "FOLDER", "TRUSTED", "DISPATCH", "VALID", "OAUTH2"];
    context.output().list(&headings, &accounts, |account| {
        let mut words =
            ["name", "protocol", "host", "user", "folder", "trusted", "dispatch", "valid"].map(|key| word(account, key)).to_vec();
        words.push(sign_in::word(account));
        words
    });
    Ok(())
}

async fn show(context: &Context, name: &str) -> Result<(), Failed> {
    let configuration = context.configuration().await?;
    let account = configuration.accounts.get(name).ok_or_else(|| unknown(name))?;
    let mut shown = Value::Object(write(account));
    sign_in::attach(context, &Owner::Account(name.to_owned()), &mut shown).await?;
    context.output().document(&shown, || lines(&shown));
    Ok(())
}

async fn test(context: &Context, name: &str) -> Result<(), Failed> {
    let configuration = context.configuration().await?;
    let account = configuration.accounts.get(name).ok_or_else(|| unknown(name))?;
    let facts = transport::probe(account, &context.tokens().await?).await?;
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
