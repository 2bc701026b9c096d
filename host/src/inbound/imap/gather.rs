//! Fetching the bytes of messages and making them durable, batch after batch.

use super::after::DoneSign;
use super::body::{self, Bodies, InRanges, RANGE};
use super::error::ImapError;
use super::listing::ListedMessage;
use super::run::{BATCH_BYTES, FetchRun};
use crate::inbound::error::FetchError;
use async_imap::imap_proto::RequestId;
use postigo_model::spool::{Arrival, TakenIn};
use std::collections::HashMap;

/// So many messages are told of at once: each telling makes the server write.
const TELL: usize = 512;

/// Messages with their bytes.
type FetchedBatch = Vec<(ListedMessage, Vec<u8>)>;

/// What is under way of a batch whose turn has not come.
#[derive(Debug, Default)]
enum BatchAhead {
    /// Nothing.
    #[default]
    No,
    /// The server is asked.
    Asked(RequestId),
    /// Its bytes are here already.
    Come(Bodies),
}

impl FetchRun<'_> {
    /// Fetches batch after batch: the server is asked for the next one before the last has come, and while one comes
    /// the one before it is stored.
    pub(super) async fn fetch_all(&mut self, batches: &[&[ListedMessage]]) -> Result<(), FetchError> {
        let mut waiting: FetchedBatch = Vec::new();
        let mut ahead = BatchAhead::No;
        for (place, batch) in batches.iter().enumerate() {
            let stopped = self.intake.is_stopped();
            if stopped && matches!(ahead, BatchAhead::No) {
                break;
            }
            // Between the question and the answer nothing else can be told.
            let telling = self.after != DoneSign::Keep && self.durable.len() + waiting.len() >= TELL;
            let next =
                batches.get(place + 1).copied().filter(|next| !stopped && !telling && !self.comes_in_ranges(next));
            let (uids, arrivals) = self.arrivals(std::mem::take(&mut waiting));
            let spool = self.intake.spool().clone();
            let stored =
                async move { if arrivals.is_empty() { Ok(Vec::new()) } else { spool.take_in(arrivals).await } };
            let (fetched, stored) = tokio::join!(self.fetch_batch(batch, std::mem::take(&mut ahead), next), stored);
            // First what is durable: it must be told of even if this batch broke.
            self.stored(uids, &stored?);
            (waiting, ahead) = fetched?;
            self.tell(TELL).await?;
            self.intake.show_progress().await;
        }
        let (uids, arrivals) = self.arrivals(waiting);
        if !arrivals.is_empty() {
            let stored = self.intake.spool().take_in(arrivals).await?;
            self.stored(uids, &stored);
        }
        Ok(())
    }

    fn arrivals(&mut self, fetched: FetchedBatch) -> (Vec<u32>, Vec<Arrival>) {
        let mut uids = Vec::with_capacity(fetched.len());
        let mut arrivals = Vec::with_capacity(fetched.len());
        for (message, raw) in fetched {
            self.intake.report.fetched += 1;
            self.intake.report.bytes += raw.len() as u64;
            uids.push(message.uid);
            arrivals.push(self.intake.arrival(
                self.key(&message),
                format!("{}/{}", self.source.folder, message.uid),
                raw,
            ));
        }
        (uids, arrivals)
    }

    fn stored(&mut self, uids: Vec<u32>, taken: &[TakenIn]) {
        self.intake.count(taken);
        self.durable.extend(uids);
    }

    /// Tells the server of the durable messages, once there are `least` of them.
    pub(super) async fn tell(&mut self, least: usize) -> Result<(), FetchError> {
        if self.durable.is_empty() || self.durable.len() < least {
            return Ok(());
        }
        let durable = std::mem::take(&mut self.durable);
        match self.after.tell(&mut self.connection, &durable).await {
            Ok(told) => {
                self.intake.report.told += told;
                for uid in durable {
                    self.open.remove(&uid);
                }
            }
            // They are durable and known. What the server refuses must not keep new mail out: it is the run's error at
            // its end.
            Err(error @ ImapError::Refused { .. }) => self.refused = Some(error),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn fetch_batch(
        &mut self,
        batch: &[ListedMessage],
        ahead: BatchAhead,
        next: Option<&[ListedMessage]>,
    ) -> Result<(FetchedBatch, BatchAhead), FetchError> {
        let result = self.bodies(batch, ahead, next).await;
        match &result {
            Ok(_) => self.memory.acquit(batch),
            Err(FetchError::Imap(ImapError::Lost { .. } | ImapError::Unread { .. } | ImapError::Unreadable { .. })) => {
                self.memory.suspect(batch);
            }
            Err(_) => {}
        }
        result
    }

    async fn bodies(
        &mut self,
        batch: &[ListedMessage],
        ahead: BatchAhead,
        next: Option<&[ListedMessage]>,
    ) -> Result<(FetchedBatch, BatchAhead), FetchError> {
        if let ([only], true) = (batch, self.comes_in_ranges(batch)) {
            let raw = self.alone(only).await?;
            return Ok((raw.into_iter().map(|raw| (*only, raw)).collect(), BatchAhead::No));
        }
        let (mut bodies, mut ahead) = match ahead {
            BatchAhead::Come(bodies) => (bodies, BatchAhead::No),
            ahead => {
                let asked = match ahead {
                    BatchAhead::Asked(asked) => asked,
                    BatchAhead::No | BatchAhead::Come(_) => body::ask_small(&mut self.connection, batch).await?,
                };
                let ahead = match next {
                    Some(next) => BatchAhead::Asked(body::ask_small(&mut self.connection, next).await?),
                    None => BatchAhead::No,
                };
                (self.read_small(&asked).await?, ahead)
            }
        };
        if let (true, BatchAhead::Asked(asked)) =
            (batch.iter().any(|message| !bodies.contains_key(&message.uid)), &ahead)
        {
            ahead = BatchAhead::Come(self.read_small(asked).await?);
        }
        let (mut fetched, mut bytes) = (Vec::with_capacity(batch.len()), 0);
        for message in batch {
            let raw = match bodies.remove(&message.uid) {
                Some(raw) if raw.len() as u64 > self.intake.rules().greatest => {
                    self.larger(message, raw.len() as u64);
                    None
                }
                Some(raw) => Some(raw),
                // Their listed sizes are wrong, else not so many bytes had come.
                None if bytes > BATCH_BYTES => {
                    self.put_off.push(*message);
                    None
                }
                // One that the server cannot give must not keep the others.
                None => self.alone(message).await?,
            };
            if let Some(raw) = raw {
                bytes += raw.len() as u64;
                fetched.push((*message, raw));
            }
        }
        Ok((fetched, ahead))
    }

    /// What the server gives of what it was asked for; nothing where it refuses.
    async fn read_small(&mut self, asked: &RequestId) -> Result<Bodies, ImapError> {
        let most = self.intake.rules().greatest.saturating_add(BATCH_BYTES);
        match body::read_small(&mut self.connection, asked, most).await {
            Err(ImapError::Refused { .. }) => Ok(HashMap::new()),
            other => other,
        }
    }

    /// Fetches one message alone, in ranges.
    async fn alone(&mut self, message: &ListedMessage) -> Result<Option<Vec<u8>>, FetchError> {
        match body::in_ranges(&mut self.connection, message, self.intake.rules().greatest).await {
            Ok(InRanges::Whole(raw)) => return Ok(Some(raw)),
            Ok(InRanges::Gone) => self.gone(message),
            Ok(InRanges::TooLarge(size)) => self.larger(message, size),
            Err(ImapError::Refused { text, .. }) => {
                self.refusals.insert(message.uid, text);
            }
            Err(other) => return Err(other.into()),
        }
        Ok(None)
    }

    /// It is larger than it was listed, and than is taken.
    fn larger(&mut self, message: &ListedMessage, size: u64) {
        self.memory.learnt.is_larger(message.uid, size);
        self.larger.push(ListedMessage { size, ..*message });
    }

    /// It stays open: if it is there after all, the next run lists it again.
    fn gone(&mut self, message: &ListedMessage) {
        self.intake.report.gone += 1;
        self.ungiven.insert(message.uid);
    }

    /// Whether a batch is one message that comes in ranges.
    fn comes_in_ranges(&self, batch: &[ListedMessage]) -> bool {
        matches!(batch, [only] if only.size > RANGE || !only.is_sized() || self.apart.contains(&only.uid))
    }
}
