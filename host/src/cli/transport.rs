//! `transport`: ways out for mail.

use super::sign_in::{SignIn, SignOut};
use super::{Context, Failed};
use crate::oauth2::Owner;

/// `transport …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Sign in by OAuth2: a browser, or a code to type at another device
    SignIn(SignIn),
    /// Forget its OAuth2 tokens
    SignOut(SignOut),
    /// Connect and sign in, say what the server said
    Test {
        /// The transport's name
        name: String,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        let name = match self {
            Self::SignIn(sign_in) => return sign_in.run(context, Owner::Transport).await,
            Self::SignOut(sign_out) => return sign_out.run(context, Owner::Transport).await,
            Self::Test { name } => name,
        };
        match context.configuration().await?.transports.get(&name) {
            Some(_) => Err(Failed::because("This version keeps transports but does not send mail yet, so there is nothing to test.")),
            None => Err(Failed::because(format!("There is no transport \u{201c}{name}\u{201d}."))),
        }
    }
}
