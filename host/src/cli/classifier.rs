//! `classifier`: what classifiers learn from.

mod examples;
mod feedback;

use super::{CommandError, Context};

/// `classifier …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// What there is to learn from: tickets' first mails with what the tickets are today
    Examples(examples::Examples),
    /// What was said to be the right label of a mail
    #[command(subcommand)]
    Feedback(feedback::Command),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::Examples(examples) => examples.run(context).await,
            Self::Feedback(command) => command.run(context).await,
        }
    }
}
