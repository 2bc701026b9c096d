//! Printing what became of the messages, in the order in which they were read.

use super::intake::StoredMessage;
use crate::cli::{CommandError, Output};
use crate::service::messages::EndedMessage;
use crate::spool::Spool;
use crate::store::StoreError;
use crate::worker::{DoneMessage, MessagesInHand};
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
    /// What this process works on itself, and is to be heard of.
    in_hand: &'s MessagesInHand,
    output: Output,
    waiting: VecDeque<StoredMessage>,
    known: HashMap<i64, EndedMessage>,
    failed: u64,
    progress: ProgressBar,
}

impl<'s> Results<'s> {
    pub fn new((spool, in_hand): (&'s Spool, &'s MessagesInHand), output: Output, as_pipe: bool) -> Self {
        let target = if as_pipe { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let progress = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} messages, {per_sec}, {elapsed}") {
            progress.set_style(style);
        }
        Self { spool, in_hand, output, waiting: VecDeque::new(), known: HashMap::new(), failed: 0, progress }
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
                    self.known.insert(done.id, done.result.into());
                    self.hear(endings);
                }
                () = tokio::time::sleep(ASKED), if !self.waiting.is_empty() => self.ask(endings).await?,
            }
            if matches!(self.waiting.front(), Some(StoredMessage { taken_in: TakenIn::Known(id), .. }) if !self.known.contains_key(id))
            {
                self.ask(endings).await?;
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

    /// Takes up what ended in this process.
    fn hear(&mut self, endings: &mut UnboundedReceiver<DoneMessage>) {
        self.known.extend(std::iter::from_fn(|| endings.try_recv().ok()).map(|done| (done.id, done.result.into())));
    }

    /// Asks the spool for the oldest messages whose end is not known here. What this process works on is left out: the
    /// spool keeps less of it than is told.
    async fn ask(&mut self, endings: &mut UnboundedReceiver<DoneMessage>) -> Result<(), StoreError> {
        let unknown =
            self.waiting.iter().map(|message| message.taken_in.id()).filter(|id| !self.known.contains_key(id));
        let ids: Vec<i64> = unknown.take(ASKED_FOR).collect();
        let ended = self.spool.results(&ids).await?;
        let others: Vec<_> = ended.into_iter().filter(|(id, _)| !self.in_hand.has(*id)).collect();
        // What is no longer in hand was told before.
        self.hear(endings);
        for (id, message) in others {
            self.known.entry(id).or_insert_with(|| message.into());
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fresh_store::fresh;
    use postigo_model::spool::{Arrival, SourceKey};
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn what_this_process_works_on_is_told_as_it_ended_here_and_not_as_the_spool_keeps_it() {
        let (folder, store, _) = fresh().await;
        let spool = Spool::open(store.clone(), folder.path()).unwrap();
        let arrival = |text: &'static str| Arrival {
            account: "main".into(),
            key: SourceKey::Digest,
            source: text.into(),
            received_at: 1,
            recipients: Vec::new(),
            communication: None,
            raw: text.into(),
        };
        let taken_in = spool.take_in(vec![arrival("one"), arrival("two")]).await.unwrap();
        let (own, others) = (taken_in[0].id(), taken_in[1].id());
        let in_hand = MessagesInHand::default();
        let mut run = in_hand.of_run();
        run.take([own].into_iter());
        // The end of both is durable; that of one is not told yet.
        let kept = r#"{"source":"kept","status":"filed","filters":[],"warnings":[]}"#;
        store.execute(format!("UPDATE spool SET status = 'filed', result = '{kept}'")).await;
        let mut results = Results::new((&spool, &in_hand), Output::new(true), true);
        results.waiting =
            taken_in.into_iter().map(|taken_in| StoredMessage { source: "file".into(), taken_in }).collect();
        let (ended, mut endings) = mpsc::unbounded_channel();
        results.ask(&mut endings).await.unwrap();
        assert!(!results.known.contains_key(&own) && results.known[&others].result.source == "kept");
        let result = MessageResult { source: "own".into(), ..MessageResult::default() };
        ended.send(DoneMessage { id: own, result }).unwrap();
        run.told(own);
        results.ask(&mut endings).await.unwrap();
        assert_eq!(results.known[&own].result.source, "own");
    }
}
