//! `classifier feedback`: labels that people gave.

use crate::cli::command_error::of_options;
use crate::cli::output::{lines, word};
use crate::cli::rows::{self, Ids};
use crate::cli::{CommandError, Context};
use crate::service::feedback;
use crate::store::feedback::FeedbackFilter;

/// `classifier feedback …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Say what the right label of a mail is, in the place of what was said before
    Give {
        /// The mail's Message-ID, with or without its angle brackets
        message_id: String,
        /// The question of a classifier: `queue`
        question: String,
        /// The right label
        label: String,
    },
    /// List what was given, the first given last
    List {
        /// About the mail with this Message-ID
        #[arg(long, value_name = "MESSAGE-ID")]
        mail: Option<String>,
        /// About this question
        #[arg(long, value_name = "NAME")]
        question: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Take back what was given, by the ids of the list
    Delete(Ids),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let store = context.store().await?;
        match self {
            Self::Give { message_id, question, label } => {
                let kept = feedback::give(store, &message_id, &question, &label, context.actor()).await;
                let document = serde_json::to_value(kept.map_err(|refused| of_options(refused, str::to_owned))?)?;
                context.output().document(&document, || lines(&document));
            }
            Self::List { mail, question, limit } => {
                let mut filter = FeedbackFilter { message_id: mail, question, ..FeedbackFilter::default() };
                let found = rows::read(limit, async |wanted, found| {
                    filter.limit = wanted;
                    filter.before = found.last().map(|row: &feedback::FeedbackDocument| row.id);
                    Ok(feedback::list(store, filter.clone()).await?)
                });
                let found = found.await?.documents()?;
                context.output().list(&["ID", "MAIL", "QUESTION", "LABEL", "GIVEN", "BY"], &found.rows, |row| {
                    ["id", "message_id", "question", "label", "at", "actor"].map(|key| word(row, key)).to_vec()
                });
                found.tell_more(context);
            }
            Self::Delete(ids) => {
                for id in &ids.ids {
                    feedback::take_back(store, *id).await?;
                }
                ids.tell(["The label", "labels"], "taken back", context);
            }
        }
        Ok(())
    }
}
