//! `account`: where mail comes from.

use super::configured::{NamedThing, tell_probed, told};
use super::kind_commands::Common;
use super::sign_in::{SignIn, SignOut};
use super::{CommandError, Context};
use crate::oauth2::Owner;
use crate::service::probing;
use postigo_model::configured::Account;

/// `account …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    #[command(flatten)]
    Common(Common),
    /// Sign in by OAuth2: a browser, or a code to type at another device
    SignIn(SignIn),
    /// Forget its OAuth2 tokens
    SignOut(SignOut),
    /// Connect and sign in, say what the server said, leave the mailbox alone
    Test(NamedThing),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::Common(command) => command.run::<Account>(context).await,
            Self::SignIn(sign_in) => sign_in.run(context, Owner::Account).await,
            Self::SignOut(sign_out) => sign_out.run(context, Owner::Account).await,
            Self::Test(account) => test(account.name, context).await,
        }
    }
}

async fn test(name: String, context: &Context) -> Result<(), CommandError> {
    let configuration = context.configuration().await?;
    let (store, tokens) = (context.store().await?, context.tokens().await?);
    let probed = probing::account(&configuration, &name, store, &tokens, None).await.map_err(told::<Account>)?;
    tell_probed(&Owner::Account(name), probed, context)
}
