//! `spool`: messages that wait, are held, failed or were ignored.

use super::output::{lines, word};
use super::rows::{self, Ids};
use super::{CommandError, Context};
use crate::service::ServiceError;
use crate::service::messages::{self, SpoolDocument};
use crate::spool::MessageFilter;
use crate::worker::is_daemon_running;
use postigo_model::spool::SpoolStatus;
use serde_json::Value;

/// What the rows are called: one, and several.
const WHAT: [&str; 2] = ["Message", "messages"];

/// `spool …`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List messages: those that wait, are worked on, are held, failed or were ignored, or those of a status
    List(SpoolList),
    /// Show a message and what became of it
    Show {
        /// Its id
        id: i64,
        /// Print the received bytes, unchanged
        #[arg(long)]
        raw: bool,
    },
    /// Let messages go the whole way again
    Release(Ids),
    /// Drop messages for good
    Drop(Ids),
}

/// `spool list`
#[derive(Debug, clap::Args)]
pub struct SpoolList {
    /// Only of this status: waiting, claimed, held, failed, ignored, filed, rejected, dropped; may be given again
    #[arg(long)]
    status: Vec<SpoolStatus>,
    /// Only of this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self {
            Self::List(list) => list.run(context).await,
            Self::Show { id, raw } => show(id, raw, context).await,
            Self::Release(rows) => {
                release(&rows.ids, context).await?;
                rows.tell(WHAT, "released", context);
                Ok(())
            }
            Self::Drop(rows) => {
                messages::drop(context.spool().await?, rows.ids.clone(), context.actor()).await?;
                rows.tell(WHAT, "dropped", context);
                Ok(())
            }
        }
    }
}

/// Releases messages, and works on them here where no daemon will.
async fn release(ids: &[i64], context: &Context) -> Result<(), CommandError> {
    let accounts = messages::release(context.spool().await?, ids.to_vec(), context.actor()).await?;
    if !is_daemon_running(context.data()) {
        for account in accounts {
            super::fetch::work_off(context, &account).await?;
        }
    }
    Ok(())
}

impl SpoolList {
    async fn run(self, context: &Context) -> Result<(), CommandError> {
        let spool = context.spool().await?;
        let mut filter = MessageFilter { status: self.status, account: self.account, ..MessageFilter::default() };
        let found = rows::read(self.limit, async |limit, found: &[SpoolDocument]| {
            (filter.limit, filter.after) = (limit, found.last().map(|message| message.id));
            Ok(messages::list(spool, context.key(), filter.clone()).await?)
        });
        let found = found.await?.documents()?;
        context.output().list(
            &["ID", "STATUS", "ACCOUNT", "SOURCE", "RECEIVED", "SIZE", "TRIES", "REASON"],
            &found.rows,
            |message| {
                ["id", "status", "account", "source", "received_at", "size", "tries", "reason"]
                    .map(|key| word(message, key))
                    .to_vec()
            },
        );
        found.tell_more(context);
        Ok(())
    }
}

async fn show(id: i64, raw: bool, context: &Context) -> Result<(), CommandError> {
    let spool = context.spool().await?;
    let told = |refused| match refused {
        ServiceError::Missing { .. } => CommandError::because(format!("There is no message {id} in the spool.")),
        other => other.into(),
    };
    if raw {
        let bytes = messages::raw(spool, id).await.map_err(told)?;
        context.output().bytes(&bytes);
        return Ok(());
    }
    let message = serde_json::to_value(messages::show(spool, id).await.map_err(told)?)?;
    context.output().document(&message, || {
        let mut head = message.clone();
        let result = head.as_object_mut().and_then(|fields| fields.remove("result")).filter(Value::is_object);
        let result = result.map(|result| format!("\n{}", lines(&result)));
        lines(&head) + &result.unwrap_or_default()
    });
    Ok(())
}
