//! `ingest`: messages from files, stored first, then worked on by the daemon, or here where none runs.

mod intake;
mod results;

use super::attending::attend_while;
use super::configured::told;
use super::pipe::TRY_LATER;
use super::{CommandError, Context};
use crate::service::configured;
use crate::worker::{DoneMessage, MessagesInHand};
use intake::{FileIntake, IngestEnvelope};
use postigo_model::configured::Account;
use results::Results;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A mail server's pipe waits so long at most for what becomes of its mail; stored it is before.
const PIPE_WAITS: Duration = Duration::from_secs(30);

/// `ingest`
#[derive(Debug, clap::Args)]
pub struct Ingest {
    /// The account that the messages count as fetched by
    #[arg(long, value_name = "NAME", default_value = Account::LOCAL)]
    account: String,
    /// A recipient of the envelope, as the mail server names it; may be given several times
    #[arg(long = "recipient", value_name = "ADDR")]
    recipients: Vec<String>,
    /// The sender of the envelope; empty for the null sender
    #[arg(long, value_name = "ADDR")]
    sender: Option<String>,
    /// Raw messages, mbox files, Maildirs, or `-` for one raw message on standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
}

impl Ingest {
    /// Whether a mail server may be at the other end: then the exit status is one of sysexits.h.
    pub(super) fn is_pipe(&self) -> bool {
        self.paths.iter().all(|path| path == "-")
    }

    pub(super) async fn run(self, context: &Context) -> Result<(), CommandError> {
        let as_pipe = self.is_pipe();
        let not_stored = |failed: CommandError| if as_pipe { failed.with_status(TRY_LATER) } else { failed };
        let configuration = context.configuration().await.map_err(not_stored)?;
        // One that is not valid takes mail, too: a mail server's pipe names it still, and its mail would bounce.
        configured::find::<Account>(&configuration, &self.account)
            .map_err(|refused| not_stored(told::<Account>(refused)))?;
        let spool = context.spool().await.map_err(not_stored)?;
        let (stored, mut to_tell) = mpsc::unbounded_channel();
        let (ended, mut endings) = mpsc::unbounded_channel();
        let envelope = IngestEnvelope { sender: self.sender.clone(), recipients: self.recipients.clone() };
        let intake = FileIntake { spool, account: &self.account, envelope, stored };
        // Nobody listens any more when the last result is printed; then what else ended is not of interest.
        let tell = |done: DoneMessage| drop(ended.send(done));
        let in_hand = MessagesInHand::default();
        let mut results = Results::new((spool, &in_hand), context.output(), as_pipe);
        let bring = async |broken: CancellationToken| {
            let printing = async {
                tokio::select! {
                    printed = results.print(&mut to_tell, &mut endings) => printed,
                    () = broken.cancelled() => Ok(()),
                    () = tokio::time::sleep(PIPE_WAITS), if as_pipe => Ok(()),
                }
            };
            tokio::join!(intake.run(self.paths.clone()), printing)
        };
        let (attended, (taken_in, printed)) =
            attend_while(context, &self.account, (&in_hand, tell), bring).await.map_err(not_stored)?;
        taken_in.map_err(|error| error.failed(as_pipe))?;
        let worked = attended.and(printed);
        // What is stored is ours: a mail server that was told otherwise would bounce it, or bring it again.
        if as_pipe {
            if let Err(failed) = worked {
                failed.tell();
            }
            return Ok(());
        }
        worked
    }
}
