//! `classifier`: what classifiers learn from, and what they answered.

mod examples;
mod feedback;
mod models;
mod question;
mod why;

use super::{CommandError, Context};

/// `classifier …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// What there is to learn from: tickets' first mails with what the tickets are today
    Examples(examples::Examples),
    /// What was said to be the right label of a mail
    #[command(subcommand)]
    Feedback(feedback::Command),
    /// Have a filter learn from the desk's tickets
    Train(models::Train),
    /// List what a filter has learnt, or show one of its models
    Models(models::Models),
    /// Put one of a filter's models in force, be it an earlier one
    Use(models::Use),
    /// Say what classifiers guessed about a ticket's mails, how sure they were, and what followed
    Why(why::Why),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::Examples(examples) => examples.run(context).await,
            Self::Feedback(command) => command.run(context).await,
            Self::Train(train) => train.run(context).await,
            Self::Models(models) => models.run(context).await,
            Self::Use(used) => used.run(context).await,
            Self::Why(why) => why.run(context).await,
        }
    }
}
