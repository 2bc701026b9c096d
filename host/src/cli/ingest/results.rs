//! Printing what became of the messages, in the order in which they were read.

use super::intake::StoredMessage;
use crate::cli::{CommandError, Output};
use crate::service::messages::EndedMessage;
use crate::spool::Spool;
use crate::store::StoreError;
use crate::worker::DoneMessage;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use postigo_model::result::{MessageResult, MessageStatus};
use postigo_model::spool::TakenIn;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// So often is the spool asked for messages that others work on.
const ASKED: Duration = Duration::from_millis(50);
/// About so many messages at once.
const ASKED_FOR: usize = 200;

/// Prints results; counts what failed.
pub struct Results<'s> {
    spool: &'s Spool,
    output: Output,
    waiting: VecDeque<StoredMessage>,
    known: HashMap<i64, EndedMessage>,
    failed: u64,
    progress: ProgressBar,
}

impl<'s> Results<'s> {
    pub fn new(spool: &'s Spool, output: Output, as_pipe: bool) -> Self {
        let target = if as_pipe { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let progress = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} messages, {per_sec}, {elapsed}") {
            progress.set_style(style);
        }
        Self { spool, output, waiting: VecDeque::new(), known: HashMap::new(), failed: 0, progress }
    }

    /// Prints until all that was stored has come to an end.
    pub async fn print(
        &mut self,
        stored: &mut UnboundedReceiver<StoredMessage>,
        endings: &mut UnboundedReceiver<DoneMessage>,
    ) -> Result<(), CommandError> {
        let mut all_stored = false;
        while !all_stored || !self.waiting.is_empty() {
            tokio::select! {
                message = stored.recv(), if !all_stored => match message {
                    Some(message) => self.waiting.push_back(message),
                    None => all_stored = true,
                },
                Some(done) = endings.recv() => {
                    let more = std::iter::from_fn(|| endings.try_recv().ok());
                    self.known.extend(std::iter::once(done).chain(more).map(|done| (done.id, done.result.into())));
                }
                () = tokio::time::sleep(ASKED), if !self.waiting.is_empty() => self.ask().await?,
            }
            if matches!(self.waiting.front(), Some(StoredMessage { taken_in: TakenIn::Known(id), .. }) if !self.known.contains_key(id))
            {
                self.ask().await?;
            }
            self.print_known().await?;
        }
        self.progress.finish_and_clear();
        match self.failed {
            0 => Ok(()),
            count => Err(CommandError::because(format!(
                "{count} of the messages could not be worked on; the results say why."
            ))),
        }
    }

    /// Asks the spool for the oldest messages whose end is not known here.
    async fn ask(&mut self) -> Result<(), StoreError> {
        let unknown =
            self.waiting.iter().map(|message| message.taken_in.id()).filter(|id| !self.known.contains_key(id));
        let ids: Vec<i64> = unknown.take(ASKED_FOR).collect();
        let ended = self.spool.results(&ids).await?;
        self.known.extend(ended.into_iter().map(|(id, message)| (id, message.into())));
        Ok(())
    }

    async fn print_known(&mut self) -> Result<(), StoreError> {
        let known = self.waiting.iter().take_while(|message| self.known.contains_key(&message.taken_in.id()));
        let ended: Vec<TakenIn> = known.map(|message| message.taken_in).collect();
        if ended.is_empty() {
            return Ok(());
        }
        let mut told_here = self.spool.told_here(&ended).await?;
        let mut told = Vec::new();
        for StoredMessage { source, taken_in } in self.waiting.drain(..ended.len()) {
            let id = taken_in.id();
            let Some(mut ended) = self.known.get(&id).cloned() else { continue };
            ended.result.source = source;
            let result = if !matches!(taken_in, TakenIn::Known(_)) && told_here.remove(&id) {
                told.push(id);
                ended.result
            } else {
                ended.duplicate(id)
            };
            self.failed += u64::from(result.status == MessageStatus::Failed);
            self.progress.inc(1);
            self.progress.suspend(|| self.output.document(&serde_json::json!(result), || sentence(&result)));
        }
        for id in told {
            self.known.remove(&id);
        }
        Ok(())
    }
}

fn sentence(result: &MessageResult) -> String {
    let number = result.ticket_number.as_deref().unwrap_or("?");
    let queue = result.queue.as_deref().unwrap_or("?");
    let by = result.queue_by.as_deref().unwrap_or("?");
    let error = result.error.as_deref().unwrap_or("no reason is known");
    let told = match result.status {
        MessageStatus::Filed if result.follow_up => format!("follow-up of ticket {number} in {queue}"),
        MessageStatus::Filed => format!("new ticket {number} in {queue} ({by})"),
        MessageStatus::Ignored => "ignored, as X-OTOBO-Ignore says".to_owned(),
        MessageStatus::Rejected => format!("kept with ticket {number}, which stays closed"),
        MessageStatus::Held => format!("held: {error}"),
        MessageStatus::Duplicate => format!("a duplicate, filed before as ticket {number}"),
        MessageStatus::Failed => format!("failed: {error}"),
    };
    format!("{}: {told}\n", crate::cli::output::printable(&result.source))
}
