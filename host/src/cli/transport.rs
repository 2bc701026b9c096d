//! `transport`: ways out for mail.

use super::configured::{Common, Named, missing, works};
use super::sign_in::{SignIn, SignOut};
use super::{Context, Failed};
use crate::machine::{self, Machine};
use crate::oauth2::Owner;
use crate::outbound;
use postigo_model::configured::{Outlet, Transport};

/// `transport …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    #[command(flatten)]
    Common(Common),
    /// Delete one
    Delete(Named),
    /// Sign in by OAuth2: a browser, or a code to type at another device
    SignIn(SignIn),
    /// Forget its OAuth2 tokens
    SignOut(SignOut),
    /// Connect and sign in, say what the server said, send nothing
    Test(Test),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
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
pub struct Test {
    /// Its name
    name: String,
    /// As the daemon is given it, where the transport is of the kind sendmail
    #[arg(long, value_name = "NAME=PATH")]
    allow_command: Vec<machine::Named>,
    /// As the daemon is given it, where the transport is of the kind file
    #[arg(long, value_name = "NAME=PATH")]
    allow_folder: Vec<machine::Named>,
}

impl Test {
    async fn run(self, context: &Context) -> Result<(), Failed> {
        let Self { name, allow_command, allow_folder } = self;
        let configuration = context.configuration().await?;
        let transport = configuration.transports.get(&name).ok_or_else(|| Failed::because(missing::<Transport>(&name)))?;
        let is_said = transport.outlet().is_smtp() || !allow_command.is_empty() || !allow_folder.is_empty();
        let machine = if is_said { Machine::new(allow_command, allow_folder) } else { Machine::of_user(transport) };
        let mut facts = outbound::probe(transport, &context.tokens().await?, &machine).await?;
        if !is_said {
            // What the daemon was started with, it alone knows.
            let what = if matches!(transport.outlet(), Outlet::Folder(_)) { "folder" } else { "command" };
            facts.push(("daemon", format!("it can use this if it was started with --allow-{what} NAME=PATH; REST tests it there")));
        }
        works(&Owner::Transport(name), facts, context);
        Ok(())
    }
}
