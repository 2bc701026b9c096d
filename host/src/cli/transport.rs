//! `transport`: ways out for mail.

use super::configured::{Column, List, Named, missing, works};
use super::sign_in::{SignIn, SignOut};
use super::{Context, Failed};
use crate::config::Transport;
use crate::oauth2::Owner;
use crate::outbound;

/// `transport …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the transports
    List(List),
    /// Show one with all its keys, and how its sign-in stands
    Show(Named),
    /// Sign in by OAuth2: a browser, or a code to type at another device
    SignIn(SignIn),
    /// Forget its OAuth2 tokens
    SignOut(SignOut),
    /// Connect and sign in, say what the server said, send nothing
    Test(Named),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        match self {
            Self::List(list) => list.run::<Transport>(&COLUMNS, context).await,
            Self::Show(transport) => transport.show::<Transport>(context).await,
            Self::SignIn(sign_in) => sign_in.run(context, Owner::Transport).await,
            Self::SignOut(sign_out) => sign_out.run(context, Owner::Transport).await,
            Self::Test(transport) => test(transport.name, context).await,
        }
    }
}

const COLUMNS: [Column; 7] =
    [("TRANSPORT", "name"), ("KIND", "kind"), ("HOST", "host"), ("PORT", "port"), ("USER", "user"), ("FOR", "for"), ("VALID", "valid")];

async fn test(name: String, context: &Context) -> Result<(), Failed> {
    let configuration = context.configuration().await?;
    let transport = configuration.transports.get(&name).ok_or_else(|| Failed::because(missing::<Transport>(&name)))?;
    let facts = outbound::probe(transport, &context.tokens().await?).await?;
    works(&Owner::Transport(name), facts, context);
    Ok(())
}
