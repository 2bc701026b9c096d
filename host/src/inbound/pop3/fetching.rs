//! Fetching a session's messages and making them durable.

use super::bytes_key::standing_for_bytes;
use super::connection::{KeptLimit, RetrieveAnswer};
use super::error::Pop3Error;
use super::listing::ScanListing;
use super::session::{BATCH_BYTES, KEY, Pop3Session};
use crate::inbound::error::FetchError;
use crate::store::StoreError;
use postigo_model::communication::Priority;
use postigo_model::hexadecimal::hexadecimal;
use postigo_model::spool::{Arrival, SourceKey, TakenIn};
use sha2::{Digest as _, Sha256};

/// Messages with their bytes, and how the connection ended, if it did.
type FetchResult = (Vec<(ScanListing, Vec<u8>)>, Result<(), Pop3Error>);

impl Pop3Session<'_> {
    /// Fetches batch after batch; while one is stored, the next is under way.
    pub(super) async fn fetch_all(&mut self, batches: Vec<&[ScanListing]>) -> Result<(), FetchError> {
        let mut waiting = Vec::new();
        for batch in batches {
            if self.intake.is_stopped() {
                break;
            }
            let (messages, arrivals) = self.arrivals(std::mem::take(&mut waiting));
            let spool = self.intake.spool().clone();
            let stored =
                async move { if arrivals.is_empty() { Ok(Vec::new()) } else { spool.take_in(arrivals).await } };
            let ((fetched, ended), stored) = tokio::join!(self.fetch_batch(batch), stored);
            self.stored(messages, stored)?;
            waiting = fetched;
            if ended.is_err() {
                // What came before the end is kept all the same.
                self.store(waiting).await?;
                return ended.map_err(FetchError::from);
            }
            self.intake.show_progress().await;
        }
        self.store(waiting).await
    }

    async fn store(&mut self, fetched: Vec<(ScanListing, Vec<u8>)>) -> Result<(), FetchError> {
        let (messages, arrivals) = self.arrivals(fetched);
        if arrivals.is_empty() {
            return Ok(());
        }
        let stored = self.intake.spool().take_in(arrivals).await;
        self.stored(messages, stored)
    }

    async fn fetch_batch(&mut self, batch: &[ScanListing]) -> FetchResult {
        let numbers: Vec<u32> = batch.iter().map(|message| message.number).collect();
        let greatest = self.intake.rules().greatest;
        let mut came = Vec::with_capacity(batch.len());
        let most = KeptLimit { message: greatest, together: greatest.saturating_add(BATCH_BYTES) };
        let ended = self.connection.retrieve(&numbers, most, |retrieved| came.push(retrieved)).await;
        if let (Err(Pop3Error::Lost { .. }), Some(guilty)) = (&ended, batch.get(came.len())) {
            self.memory.suspects.add(guilty.name().into_owned());
        }
        let mut fetched = Vec::with_capacity(came.len());
        for (message, retrieved) in batch.iter().zip(came) {
            match retrieved {
                RetrieveAnswer::Bytes(raw) => fetched.push((message.clone(), raw)),
                RetrieveAnswer::TooLarge(size) if size > greatest => {
                    self.passed_over += 1;
                    // Without a unique-id it cannot be told from others of its listed size.
                    if !message.uidl.is_empty() {
                        self.memory.is_larger(message.uidl.clone(), size);
                    }
                    self.oversize.push(ScanListing { size, ..message.clone() });
                }
                RetrieveAnswer::TooLarge(_) => self.put_off = true,
                RetrieveAnswer::Refused(text) => {
                    self.passed_over += 1;
                    self.intake.report.unreadable += 1;
                    let title = message.title(self.connection.redactor());
                    let sentence = format!("{title} cannot be fetched and stays on the server, which says: {text}");
                    self.intake.note(Priority::Error, KEY, sentence);
                }
            }
        }
        (fetched, ended)
    }

    /// The fetched messages under the keys that they are known by.
    fn arrivals(&mut self, fetched: Vec<(ScanListing, Vec<u8>)>) -> (Vec<(ScanListing, String)>, Vec<Arrival>) {
        let mut messages = Vec::with_capacity(fetched.len());
        let mut arrivals = Vec::with_capacity(fetched.len());
        for (message, raw) in fetched {
            self.intake.report.fetched += 1;
            self.intake.report.bytes += raw.len() as u64;
            let uidl = if self.has_uidls { message.uidl.clone() } else { self.standing_for(&raw) };
            arrivals.push(self.intake.arrival(
                SourceKey::Uidl(uidl.clone()),
                message.place(self.connection.redactor()),
                raw,
            ));
            messages.push((message, uidl));
        }
        (messages, arrivals)
    }

    /// What a message without a unique-id is known by in this session.
    fn standing_for(&mut self, raw: &[u8]) -> String {
        let digest = hexadecimal(&Sha256::digest(raw));
        let copy = self.copies.entry(digest.clone()).or_insert(0);
        *copy += 1;
        standing_for_bytes(&digest, *copy)
    }

    fn stored(
        &mut self,
        messages: Vec<(ScanListing, String)>,
        stored: Result<Vec<TakenIn>, StoreError>,
    ) -> Result<(), FetchError> {
        self.intake.count(&stored?);
        for (message, uidl) in messages {
            self.memory.suspects.acquit(&message.name().into_owned());
            if self.has_uidls {
                self.memory.compared(message.uidl.clone(), message.size);
            }
            self.durable.push((message.number, uidl));
        }
        Ok(())
    }
}
