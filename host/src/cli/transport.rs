//! `transport`: ways out for mail.

use super::configured::{NamedThing, tell_probed, told};
use super::kind_commands::Common;
use super::sign_in::{SignIn, SignOut};
use super::{CommandError, Context};
use crate::machine::{self, Machine};
use crate::oauth2::Owner;
use crate::service::probing;
use postigo_model::configured::Transport;

/// `transport …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    #[command(flatten)]
    Common(Common),
    /// Delete one
    Delete(NamedThing),
    /// Sign in by OAuth2: a browser, or a code to type at another device
    SignIn(SignIn),
    /// Forget its OAuth2 tokens
    SignOut(SignOut),
    /// Connect and sign in, say what the server said, send nothing
    Test(TransportTestOptions),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::Common(command) => command.run::<Transport>(context).await,
            Self::Delete(transport) => transport.delete::<Transport>(context).await,
            Self::SignIn(sign_in) => sign_in.run(context, Owner::Transport).await,
            Self::SignOut(sign_out) => sign_out.run(context, Owner::Transport).await,
            Self::Test(test) => test.run(context).await,
        }
    }
}

/// `transport test`
#[derive(Debug, clap::Args)]
pub struct TransportTestOptions {
    /// Its name
    name: String,
    /// As the daemon is given it, where the transport is of the kind sendmail
    #[arg(long, value_name = "NAME=PATH")]
    allow_command: Vec<machine::NamedPath>,
    /// As the daemon is given it, where the transport is of the kind file
    #[arg(long, value_name = "NAME=PATH")]
    allow_folder: Vec<machine::NamedPath>,
}

impl TransportTestOptions {
    async fn run(self, context: &Context) -> Result<(), CommandError> {
        let Self { name, allow_command, allow_folder } = self;
        let configuration = context.configuration().await?;
        let is_said = !allow_command.is_empty() || !allow_folder.is_empty();
        let machine = is_said.then(|| Machine::new(allow_command, allow_folder));
        let (store, tokens) = (context.store().await?, context.tokens().await?);
        let probed = probing::transport(&configuration, &name, store, &tokens, machine.as_ref()).await;
        tell_probed(&Owner::Transport(name), probed.map_err(told::<Transport>)?, context)
    }
}
