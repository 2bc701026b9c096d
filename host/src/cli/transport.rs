//! `transport`: ways out for mail.

use super::{Context, Failed};

/// `transport …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Connect and sign in, say what the server said
    Test {
        /// The transport's name
        name: String,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failed> {
        let Self::Test { name } = self;
        match context.configuration().await?.transports.get(&name) {
            Some(_) => Err(Failed::because("This version keeps transports but does not send mail yet, so there is nothing to test.")),
            None => Err(Failed::because(format!("There is no transport \u{201c}{name}\u{201d}."))),
        }
    }
}
