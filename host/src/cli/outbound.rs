//! `outbound`: the outgoing queue.

use super::output::{lines, word};
use super::rows::{self, Ids};
use super::{CommandError, Context};
use crate::service::ServiceError;
use crate::service::outgoing::{self, OutgoingDocument};
use crate::store::outgoing::OutgoingFilter;
use postigo_model::outgoing::OutgoingStatus;
use serde_json::Value;
use std::fmt::Write as _;

/// What the rows are called: one, and several.
const WHAT: [&str; 2] = ["Outgoing mail", "outgoing mails"];

/// `outbound …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List outgoing mails: all that are neither sent nor cancelled, or those of a status
    List(OutboundList),
    /// Show an outgoing mail, and what became of it for each recipient
    Show {
        /// Its id
        id: i64,
        /// Print the bytes that are sent
        #[arg(long)]
        raw: bool,
    },
    /// Try mails at once that wait, were given up, are uncertain or were cancelled
    Retry(Ids),
    /// Do not send mails that are due or wait
    Cancel(Ids),
}

/// `outbound list`
#[derive(Debug, clap::Args)]
pub struct OutboundList {
    /// Only of this status: due, waiting, sending, sent, failed, uncertain, cancelled; may be given again
    #[arg(long)]
    status: Vec<OutgoingStatus>,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Show { id, raw } => show(id, raw, context).await,
            Self::Retry(rows) => {
                outgoing::retry(context.store().await?, rows.ids.clone(), context.actor()).await?;
                rows.tell(WHAT, "retried", context);
                Ok(())
            }
            Self::Cancel(rows) => {
                outgoing::cancel(context.store().await?, rows.ids.clone(), context.actor()).await?;
                rows.tell(WHAT, "cancelled", context);
                Ok(())
            }
        }
    }
}

impl OutboundList {
    async fn run(self, context: &Context) -> Result<(), CommandError> {
        let store = context.store().await?;
        let mut filter = OutgoingFilter { status: self.status, after: None, limit: 0 };
        let found = rows::read(self.limit, async |limit, found: &[OutgoingDocument]| {
            (filter.limit, filter.after) = (limit, found.last().map(|mail| mail.id));
            Ok(outgoing::list(store, filter.clone()).await?)
        });
        let found = found.await?.documents()?;
        let headings =
            ["ID", "STATUS", "KIND", "TICKET", "SENDER", "RECIPIENTS", "TRANSPORT", "TRIES", "NEXT TRY", "ERROR"];
        context.output().list(&headings, &found.rows, |mail| {
            [
                "id",
                "status",
                "kind",
                "ticket_number",
                "sender",
                "recipients",
                "transport",
                "tries",
                "next_try_at",
                "error",
            ]
            .map(|key| word(mail, key))
            .to_vec()
        });
        found.tell_more(context);
        Ok(())
    }
}

async fn show(id: i64, raw: bool, context: &Context) -> Result<(), CommandError> {
    let store = context.store().await?;
    let found = outgoing::show(store, id).await.map_err(|refused| {
        told(refused, format!("There is no outgoing mail {id}; `postigo outbound list` shows those that are not sent."))
    })?;
    if raw {
        let composed = outgoing::raw(store, id).await;
        let bytes =
            composed.map_err(|refused| told(refused, format!("The outgoing mail {id} is not composed yet.")))?;
        context.output().bytes(&bytes);
        return Ok(());
    }
    let document = serde_json::to_value(found)?;
    context.output().document(&document, || {
        let mut head = document.clone();
        let deliveries = head.as_object_mut().and_then(|fields| fields.remove("deliveries"));
        let mut text = lines(&head);
        for delivery in deliveries.as_ref().and_then(Value::as_array).into_iter().flatten() {
            let [recipient, status, failure, detail] =
                ["recipient", "status", "failure", "detail"].map(|key| word(delivery, key));
            let failure = if failure.is_empty() { String::new() } else { format!(" ({failure})") };
            let _ = writeln!(text, "  {recipient}: {status}{failure} {detail}");
        }
        text
    });
    Ok(())
}

/// What the service refuses; what is not there in the words of this command.
fn told(refused: ServiceError, missing: String) -> CommandError {
    match refused {
        ServiceError::Missing { .. } => CommandError::because(missing),
        other => other.into(),
    }
}
