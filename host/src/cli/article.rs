//! `article`: what a ticket consists of.

use super::output::lines;
use super::{CommandError, Context, writing};
use crate::answer::ForwardAs;
use crate::service::{ServiceError, tickets};

/// `article …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show an article
    Show {
        /// The article's id
        id: i64,
        /// Print the bytes that were received or sent, unchanged
        #[arg(long)]
        raw: bool,
    },
    /// Pass an article on to somebody else
    Forward {
        /// The article's id
        id: i64,
        /// The whole mail as a file, instead of its text and files
        #[arg(long)]
        as_message: bool,
        #[command(flatten)]
        mail: Box<writing::MailOptions>,
    },
    /// Send an article's mail on to somebody else, unchanged
    Bounce {
        /// The article's id
        id: i64,
        /// To whom; several times for several
        #[arg(long, value_name = "ADDRESS", required = true)]
        to: Vec<String>,
        #[command(flatten)]
        once: writing::RequestName,
    },
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::Show { id, raw } => show(id, raw, context).await,
            Self::Forward { id, as_message, mail } => {
                let how = if as_message { ForwardAs::Message } else { ForwardAs::Text };
                writing::forward(id, how, *mail, context).await
            }
            Self::Bounce { id, to, once } => writing::bounce(id, to, once, context).await,
        }
    }
}

async fn show(id: i64, raw: bool, context: &Context) -> Result<(), CommandError> {
    let told = |refused| match refused {
        ServiceError::Missing { .. } => CommandError::because(format!("There is no article {id}.")),
        other => other.into(),
    };
    if raw {
        let bytes = tickets::article_raw(context.spool().await?, id).await.map_err(told)?;
        context.output().bytes(&bytes);
        return Ok(());
    }
    let article = tickets::article(context.store().await?, id).await.map_err(told)?;
    let document = serde_json::to_value(&article)?;
    context.output().document(&document, || {
        let mut head = document.clone();
        head.as_object_mut().and_then(|fields| fields.remove("body"));
        format!("{}\n{}\n", lines(&head), text(&article.body))
    });
    Ok(())
}

/// A body for a terminal: lines stay, other control characters go.
fn text(body: &str) -> String {
    body.lines().map(super::output::printable).collect::<Vec<_>>().join("\n")
}
