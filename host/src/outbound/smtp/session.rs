//! A session: a connection that is signed in, over which one mail goes after another.

use super::connection::Connection;
use super::error::NegativeReply;
use super::response::Response;
use crate::commlog::Communication;
use lettre::transport::smtp::commands::{Quit, Rset};
use postigo_model::communication::{CommunicationKind, CommunicationRecord, Priority};
use postigo_model::configured::Transport;
use postigo_net::waiting::waits_for;
use std::fmt::Display;
use std::time::Duration;
use tokio::time::Instant;

/// Saying goodbye is a courtesy; nobody waits long for the answer.
const GOODBYE: Duration = Duration::from_secs(2);

/// A connection that is signed in.
pub struct SmtpSession {
    pub(super) connection: Connection,
    /// What the server offers (EHLO), in capitals, each with its parameters.
    offers: Vec<String>,
    facts: Vec<(&'static str, String)>,
    log: Communication,
    pub(super) broken: bool,
    /// It broke while it was idle.
    left: bool,
    pub(super) sent: u32,
    pub(super) used: Instant,
}

impl SmtpSession {
    /// Over a connection that has just been signed in: what the server offers, and what was learnt on the way.
    pub(super) fn new(
        connection: Connection,
        offers: Vec<String>,
        facts: Vec<(&'static str, String)>,
        log: Communication,
    ) -> Self {
        Self { connection, offers, facts, log, broken: false, left: false, sent: 0, used: Instant::now() }
    }

    /// Starts the communication of a connection of this transport.
    pub(super) fn log(transport: &Transport) -> Communication {
        Communication::start(CommunicationKind::Connection, &transport.name, transport.kind.name()).outgoing()
    }

    /// Its communication's id.
    pub fn id(&self) -> &str {
        self.log.id()
    }

    /// Adds an entry to its communication. No secret may be in it.
    pub fn note(&mut self, priority: Priority, sentence: impl Into<String>) {
        self.log.entry(priority, "outbound.smtp", sentence);
    }

    /// What the server said of itself: greeting, TLS, what it offers, how this client signed in.
    pub fn facts(&self) -> &[(&'static str, String)] {
        &self.facts
    }

    pub(super) fn offer(&self, keyword: &str) -> Option<&str> {
        self.offers.iter().find_map(|offer| {
            let (word, parameters) = offer.split_once(' ').unwrap_or((offer, ""));
            (word == keyword).then_some(parameters)
        })
    }

    /// Whether it can carry another mail.
    pub fn is_usable(&self) -> bool {
        !self.broken
    }

    /// Mails that it has carried.
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// How long it has been idle.
    pub fn idle(&self) -> Duration {
        self.used.elapsed()
    }

    /// Asks whether the server is still there, and takes back whatever was begun.
    pub async fn is_alive(&mut self) -> bool {
        waits_for(|| "the server to answer on a connection that was kept".to_owned());
        let alive = !self.broken && self.done(Rset).await.is_ok();
        if !alive {
            self.leave();
        }
        alive
    }

    /// Notes that the server has ended the connection between two mails.
    pub(super) fn leave(&mut self) {
        self.left = true;
        self.note(Priority::Info, "The server has left the idle connection.");
    }

    /// Says goodbye; gives the communication's row.
    pub async fn end(mut self) -> CommunicationRecord {
        if !self.broken {
            // The server's answer changes nothing.
            let _ = tokio::time::timeout(GOODBYE, self.connection.command(Quit)).await;
        }
        let sentence = format!("{} mails were sent over this connection.", self.sent);
        self.note(Priority::Info, sentence);
        // Every server closes an idle connection at some time.
        let failed = self.broken && !self.left;
        self.log.finish(failed)
    }

    pub(super) async fn command(&mut self, command: impl Display) -> Result<Response, NegativeReply> {
        self.used = Instant::now();
        let answer = self.connection.command(command).await;
        if let Err(answer) = &answer {
            self.broken |= answer.ends_connection();
        }
        answer
    }

    /// Says a command that is done or not: an answer that asks for more (3yz) is to something else, and so may be all
    /// that follow.
    pub(super) async fn done(&mut self, command: impl Display) -> Result<(), NegativeReply> {
        let response = self.command(command).await?;
        if response.is_done() {
            return Ok(());
        }
        self.broken = true;
        Err(NegativeReply::Broken(format!("the server answers {:?} where 250 was due", response.words())))
    }
}
