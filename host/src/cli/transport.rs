//! `transport`: ways out for mail.

use super::output::word;
use super::sign_in::{SignIn, SignOut};
use super::{Context, Failed};
use crate::config::form::write;
use crate::oauth2::Owner;
use crate::outbound;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// `transport …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the transports
    List {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Sign in by OAuth2: a browser, or a code to type at another device
    SignIn(SignIn),
    /// Forget its OAuth2 tokens
    SignOut(SignOut),
    /// Connect and sign in, say what the server said, send nothing
    Test {
        /// The transport's name
        name: String,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        match self {
            Self::List { limit } => list(limit.unwrap_or(usize::MAX), context).await,
            Self::SignIn(sign_in) => sign_in.run(context, Owner::Transport).await,
            Self::SignOut(sign_out) => sign_out.run(context, Owner::Transport).await,
            Self::Test { name } => test(context, &name).await,
        }
    }
}

async fn list(limit: usize, context: &Context) -> Result<(), Failed> {
    let configuration = context.configuration().await?;
    let transports: Vec<Value> = configuration.transports.values().take(limit).map(|transport| Value::Object(write(transport))).collect();
    context.output().list(&["TRANSPORT", "KIND", "HOST", "PORT", "USER", "FOR", "VALID"], &transports, |transport| {
        ["name", "kind", "host", "port", "user", "for", "valid"].map(|key| word(transport, key)).to_vec()
    });
    Ok(())
}

async fn test(context: &Context, name: &str) -> Result<(), Failed> {
    let configuration = context.configuration().await?;
    let missing = || Failed::because(format!("There is no transport \"{name}\"; `postigo transport list` shows those that exist."));
    let transport = configuration.transports.get(name).ok_or_else(missing)?;
    let facts = outbound::probe(transport, &context.tokens().await?).await?;
    let mut document = Map::from_iter([("transport".to_owned(), json!(name))]);
    let mut text = format!("The transport {name} works.\n");
    for (key, value) in facts {
        let _ = writeln!(text, "  {key:<13}{value}");
        document.insert(key.to_owned(), Value::from(value));
    }
    context.output().document(&Value::Object(document), || text);
    Ok(())
}
