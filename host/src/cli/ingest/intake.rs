//! Reading the files and storing what is in them.

use crate::cli::CommandError;
use crate::cli::pipe::{NO_BYTES, TRY_LATER};
use crate::commlog;
use crate::inbound::ReadError;
use crate::inbound::files::{self, FileMessage};
use crate::inbound::mbox;
use crate::spool::Spool;
use crate::store::StoreError;
use postigo_files::regular_file::read_at_most;
use postigo_model::spool::{Arrival, SourceKey, TakenIn};
use postigo_supervision::{WorkKind, blocking};
use std::path::Path;
use tokio::sync::mpsc;

/// So many messages are stored in one transaction, …
const BATCH: usize = 256;
/// … or so many bytes.
const BATCH_BYTES: usize = 16 << 20;

/// Stores messages and tells which.
pub struct FileIntake<'s> {
    pub spool: &'s Spool,
    pub account: &'s str,
    pub envelope: IngestEnvelope,
    pub stored: mpsc::UnboundedSender<StoredMessage>,
}

/// What a mail server says of a message besides its bytes.
#[derive(Debug, Clone, Default)]
pub struct IngestEnvelope {
    /// Empty: the null sender.
    pub sender: Option<String>,
    /// As the server names them.
    pub recipients: Vec<String>,
}

impl IngestEnvelope {
    /// The header that keeps the sender (RFC 5321 section 4.4), with line ends like the message's.
    fn return_path(&self, raw: &[u8]) -> Vec<u8> {
        let Some(sender) = &self.sender else { return Vec::new() };
        let sender: String =
            sender.chars().filter(|letter| !letter.is_control() && !matches!(letter, '<' | '>')).collect();
        let end = if memchr::memchr(b'\n', raw).is_some_and(|at| at > 0 && raw.get(at - 1) == Some(&b'\r')) {
            "\r\n"
        } else {
            "\n"
        };
        format!("Return-Path: <{sender}>{end}").into_bytes()
    }
}

/// A message that is in the spool.
pub struct StoredMessage {
    /// Where it came from.
    pub source: String,
    /// What the spool says.
    pub taken_in: TakenIn,
}

/// Why not all was stored.
pub enum IntakeError {
    /// These could not be read; the others are stored.
    Unread(Vec<ReadError>),
    /// Standard input was empty.
    NoBytes,
    /// The spool took no more.
    Store(StoreError),
}

impl IntakeError {
    pub fn failed(self, as_pipe: bool) -> CommandError {
        match self {
            Self::Unread(errors) => {
                let failed = CommandError::lines(errors.iter().map(ToString::to_string).collect());
                if as_pipe { failed.with_status(TRY_LATER) } else { failed }
            }
            Self::NoBytes => {
                CommandError::because("There is no message: standard input had no bytes.").with_status(NO_BYTES)
            }
            Self::Store(error) if as_pipe => CommandError::from(error).with_status(TRY_LATER),
            Self::Store(error) => CommandError::from(error),
        }
    }
}

impl FileIntake<'_> {
    /// Reads all paths and stores what they hold, in batches, in their order.
    pub async fn run(self, paths: Vec<String>) -> Result<(), IntakeError> {
        let (sender, mut batches) = mpsc::channel(2);
        let reading = tokio::spawn(blocking(WorkKind::Files, "", move || read(&paths, &sender)));
        while let Some(batch) = batches.recv().await {
            self.store(batch).await.map_err(IntakeError::Store)?;
        }
        let lost = |reason| {
            Err(IntakeError::Unread(vec![ReadError::Io { path: "-".into(), reason: std::io::Error::other(reason) }]))
        };
        match reading.await {
            Ok(Ok(read)) => read,
            Ok(Err(panic)) => lost(panic.to_string()),
            Err(error) => lost(error.to_string()),
        }
    }

    async fn store(&self, batch: Vec<FileMessage>) -> Result<(), StoreError> {
        let now = commlog::now();
        let sources: Vec<String> = batch.iter().map(|found| found.source.clone()).collect();
        let arrival = |found: FileMessage| {
            let mut raw = self.envelope.return_path(&found.raw);
            let key = if raw.is_empty() { SourceKey::Digest } else { SourceKey::DigestAfter(raw.len()) };
            raw.extend_from_slice(&found.raw);
            Arrival {
                account: self.account.to_owned(),
                key,
                source: found.source,
                received_at: now,
                recipients: self.envelope.recipients.clone(),
                communication: None,
                raw: raw.into(),
            }
        };
        let taken_in = self.spool.take_in(batch.into_iter().map(arrival).collect()).await?;
        for (source, taken_in) in sources.into_iter().zip(taken_in) {
            // Whoever prints the results outlives this.
            let _ = self.stored.send(StoredMessage { source, taken_in });
        }
        Ok(())
    }
}

/// Reads all paths into batches; what cannot be read does not keep the rest.
fn read(paths: &[String], batches: &mpsc::Sender<Vec<FileMessage>>) -> Result<(), IntakeError> {
    let mut unread = Vec::new();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for path in paths {
        let messages: Box<dyn Iterator<Item = Result<FileMessage, ReadError>>> = if path == "-" {
            Box::new(std::iter::once(standard_input()?))
        } else {
            match files::read(Path::new(path)) {
                Ok(messages) => Box::new(messages),
                Err(error) => {
                    unread.push(error);
                    continue;
                }
            }
        };
        for message in messages {
            match message {
                Ok(found) => {
                    bytes += found.raw.len();
                    batch.push(found);
                }
                Err(error) => unread.push(error),
            }
            if batch.len() >= BATCH || bytes >= BATCH_BYTES {
                bytes = 0;
                if batches.blocking_send(std::mem::take(&mut batch)).is_err() {
                    return Ok(());
                }
            }
        }
    }
    if !batch.is_empty() {
        // When nobody takes it, the spool has failed, and that is told.
        let _ = batches.blocking_send(batch);
    }
    if unread.is_empty() { Ok(()) } else { Err(IntakeError::Unread(unread)) }
}

fn standard_input() -> Result<Result<FileMessage, ReadError>, IntakeError> {
    match read_at_most(std::io::stdin().lock(), files::LARGEST) {
        Ok(raw) if raw.is_empty() => Err(IntakeError::NoBytes),
        Ok(raw) => Ok(Ok(FileMessage { source: "-".into(), raw: mbox::without_separator(raw) })),
        Err(reason) => Ok(Err(ReadError::Io { path: "-".into(), reason })),
    }
}
