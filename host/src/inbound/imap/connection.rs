//! A signed-in IMAP connection (RFC 3501): commands go out, and every answer is read to its tagged end, whose status is
//! checked.
//!
//! The commands are written here and read through async-imap's parser, because its own methods for FETCH, STORE and
//! EXPUNGE end quietly when the server answers NO, and Postigo must know.

use super::answer_stream::AnswerStream;
use super::date_time::date_time;
use super::error::{ImapError, unbroken};
use super::odd::Oddities;
use super::place::MailFolder;
use super::sign_in::{self, ConnectionFacts};
use async_imap::Session;
use async_imap::imap_proto::{MailboxDatum, RequestId, Response, ResponseCode, Status};
use postigo_model::configured::Server;
use postigo_net::credentials::Credentials;
use postigo_net::redaction::Redactor;
use postigo_net::waiting::waits_for;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

/// A signed-in connection.
#[derive(Debug)]
pub struct Connection {
    /// Account name.
    account: String,
    pub(super) session: Session<AnswerStream>,
    capabilities: BTreeSet<String>,
    /// Every read and write ends after this time.
    pub(super) timeout: Duration,
    /// How many messages the open folder has, as far as the server has told.
    exists: u32,
    /// Whether the server has told of a message since this was last asked.
    pub(super) news: bool,
    /// Whether the server waits for the end of an IDLE.
    pub(super) idle: Idle,
    /// What stands between the levels of a folder's name, once it was asked for; empty: folders have no levels.
    pub(super) delimiter: Option<String>,
    /// What the log tells of how the connection came about: key and value.
    pub facts: ConnectionFacts,
}

/// Whether the server waits for the end of an IDLE.
#[derive(Debug)]
pub enum Idle {
    /// It takes commands.
    Not,
    /// The command is on its way: dropped here, nobody knows where the connection stands.
    Unclear,
    /// It tells of what happens until it hears `DONE`.
    Begun {
        /// The tag of its last answer.
        tag: RequestId,
        /// When.
        at: Instant,
    },
}

/// The folder after SELECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedFolder {
    /// Which one.
    pub place: MailFolder,
    /// UIDVALIDITY (RFC 3501 section 2.3.1.1).
    pub uid_validity: u32,
    /// Whether flags can be set and messages deleted.
    pub writable: bool,
}

impl Connection {
    /// Connects, agrees on TLS where the protocol says so, and signs in. `oddities` hears of what is not quite IMAP,
    /// now and later.
    pub async fn open(
        account: &str,
        server: Server<'_>,
        credentials: &Credentials,
        oddities: &Oddities,
    ) -> Result<Self, ImapError> {
        let (session, facts) = unbroken(account, "begin", sign_in::open(server, credentials, oddities)).await??;
        Self::after(account, session, facts, server.timeout).await
    }

    /// Over a session that has just been signed in.
    pub(super) async fn after(
        account: &str,
        session: Session<AnswerStream>,
        facts: ConnectionFacts,
        timeout: Duration,
    ) -> Result<Self, ImapError> {
        let mut connection = Self {
            account: account.to_owned(),
            session,
            capabilities: BTreeSet::new(),
            timeout,
            exists: 0,
            news: false,
            idle: Idle::Not,
            delimiter: None,
            facts,
        };
        // They differ before and after signing in (RFC 3501 section 6.1.1).
        connection.capabilities = connection.after_sign_in().await?;
        let capabilities = connection.capabilities.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        connection.facts.push(("capabilities", connection.redactor().redact(&capabilities)));
        Ok(connection)
    }

    async fn after_sign_in(&mut self) -> Result<BTreeSet<String>, ImapError> {
        let mut found = BTreeSet::new();
        self.command("ask for the capabilities", "CAPABILITY", |response| {
            if let Response::Capabilities(list) = response {
                found = sign_in::names(list);
            }
        })
        .await?;
        Ok(found)
    }

    /// What takes the secrets out of the server's words.
    pub(super) fn redactor(&self) -> &Redactor {
        self.session.get_ref().redactor()
    }

    /// Makes room for answers that bring messages of at most so many bytes.
    pub fn make_room(&mut self, greatest: u64) {
        self.session.get_mut().make_room(greatest);
    }

    /// What was met that is not quite IMAP.
    pub fn oddities(&self) -> &Oddities {
        self.session.get_ref().oddities()
    }

    /// Whether the server has a capability, named in capitals.
    pub fn has(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }

    /// Sends a command and reads its answers; `each` sees the untagged ones. `doing` is an infinitive for errors.
    pub async fn command(
        &mut self,
        doing: &'static str,
        text: &str,
        each: impl FnMut(&Response<'_>),
    ) -> Result<(), ImapError> {
        let sent = self.send(doing, text).await?;
        self.finish(doing, &sent, each).await
    }

    /// Sends a command whose answers are read later: the next one can be under way while they are.
    pub async fn send(&mut self, doing: &'static str, text: &str) -> Result<RequestId, ImapError> {
        tracing::trace!(account = self.account, doing, "commanded");
        waits_for(|| format!("the server to {doing}"));
        let sent = self.session.run_command(text).await;
        sent.map_err(|error| ImapError::during(doing, error, self.redactor()))
    }

    /// Reads the answers of a command to its end.
    pub async fn finish(
        &mut self,
        doing: &'static str,
        sent: &RequestId,
        mut each: impl FnMut(&Response<'_>),
    ) -> Result<(), ImapError> {
        let redactor = self.redactor().clone();
        loop {
            let end = self
                .answer(doing, |response| match response {
                    Response::Done { tag, status: Status::Ok, .. } if tag == sent => {
                        // FLAGS and codes of the final answer are of interest to SELECT and COPY.
                        each(response);
                        Some(Ok(()))
                    }
                    Response::Done { tag, outcome, .. } if tag == sent => Some(Err(ImapError::refused(
                        doing,
                        outcome.information.as_deref().unwrap_or_default(),
                        &redactor,
                    ))),
                    Response::Data { status: Status::Bye, outcome } => {
                        Some(Err(ImapError::left(doing, outcome.information.as_deref().unwrap_or("BYE"), &redactor)))
                    }
                    other => {
                        each(other);
                        None
                    }
                })
                .await?;
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Waits until the server asks for the rest of a command.
    pub(super) async fn continued(&mut self, doing: &'static str, sent: &RequestId) -> Result<(), ImapError> {
        let redactor = self.redactor().clone();
        loop {
            let end = self
                .answer(doing, |response| match response {
                    Response::Continue(_) => Some(Ok(())),
                    Response::Done { tag, outcome, .. } if tag == sent => Some(Err(ImapError::refused(
                        doing,
                        outcome.information.as_deref().unwrap_or_default(),
                        &redactor,
                    ))),
                    Response::Data { status: Status::Bye, outcome } => {
                        Some(Err(ImapError::left(doing, outcome.information.as_deref().unwrap_or("BYE"), &redactor)))
                    }
                    _ => None,
                })
                .await?;
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Reads the next answer, whatever it is; what it says of the open folder is kept.
    pub(super) async fn answer<T>(
        &mut self,
        doing: &'static str,
        read: impl FnOnce(&Response<'_>) -> T,
    ) -> Result<T, ImapError> {
        let redactor = self.redactor().clone();
        let answer = unbroken(&self.account, doing, self.session.read_response()).await?;
        let answer = answer.map_err(|error| ImapError::during(doing, error.into(), &redactor))?;
        let Some(answer) = answer else { return Err(ImapError::closed(doing, "it closed the connection")) };
        match answer.parsed() {
            Response::MailboxData(MailboxDatum::Exists(count)) => {
                self.news |= *count > self.exists;
                self.exists = *count;
            }
            Response::Expunge(_) => self.exists = self.exists.saturating_sub(1),
            Response::Vanished { earlier: false, uids } => {
                for range in uids {
                    let count = range.start().abs_diff(*range.end()).saturating_add(1);
                    self.exists = self.exists.saturating_sub(count);
                }
            }
            _ => {}
        }
        Ok(read(answer.parsed()))
    }

    /// How many messages the open folder has, as far as the server has told.
    pub fn exists(&self) -> u32 {
        self.exists
    }

    /// Opens a folder by `SELECT` or `EXAMINE`.
    pub async fn open_place(&mut self, verb: &str, place: &MailFolder) -> Result<SelectedFolder, ImapError> {
        let (mut uid_validity, mut writable) = (None, true);
        self.exists = 0;
        let opened = self
            .command("open the folder", &format!("{verb} {place}"), |response| match response {
                Response::Data { outcome, .. } | Response::Done { outcome, .. } => match &outcome.code {
                    Some(ResponseCode::UidValidity(value)) => uid_validity = Some(*value),
                    Some(ResponseCode::ReadOnly) => writable = false,
                    _ => {}
                },
                _ => {}
            })
            .await;
        self.news = false;
        opened?;
        let uid_validity = uid_validity.ok_or_else(|| ImapError::NoUids(place.shown().to_owned()))?;
        Ok(SelectedFolder { place: place.clone(), uid_validity, writable })
    }

    /// Puts a message into a folder, flagged, with the date on which it was received (milliseconds since the epoch).
    pub async fn append(&mut self, place: &MailFolder, date: i64, raw: &[u8]) -> Result<(), ImapError> {
        const DOING: &str = "take a message into a folder";
        let command = format!("APPEND {place} (\\Flagged) \"{}\" {{{}}}", date_time(date), raw.len());
        let sent = self.send(DOING, &command).await?;
        self.continued(DOING, &sent).await?;
        let redactor = self.redactor().clone();
        let lost = |error: std::io::Error| ImapError::during(DOING, error.into(), &redactor);
        let stream = self.session.get_mut();
        stream.write_all(raw).await.map_err(lost)?;
        stream.write_all(b"\r\n").await.map_err(lost)?;
        stream.flush().await.map_err(lost)?;
        self.finish(DOING, &sent, |_| ()).await
    }

    /// Says goodbye. Whatever comes of it, the work is done.
    pub async fn close(mut self) {
        let goodbye = async {
            let takes_commands = match self.idle {
                Idle::Not => true,
                Idle::Begun { .. } => self.wake().await.is_ok(),
                Idle::Unclear => false,
            };
            if takes_commands {
                let _ = unbroken(&self.account, "say goodbye", self.session.logout()).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(2), goodbye).await;
    }
}
