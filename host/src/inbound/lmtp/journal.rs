//! What the communication log tells of a connection.

use super::reply::Reply;
use super::sink::Sink;
use crate::commlog::Communication;
use postigo_model::communication::{CommunicationKind, MailFate, MailHeading, Priority};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

/// The log's row of a connection is brought up to date so often at most.
const SAVED_EVERY: Duration = Duration::from_secs(2);

/// So many refused mails of a connection have a communication of their own.
const MOST_REFUSALS: usize = 100;
/// So many refused recipients of a mail are told in its communication.
const MOST_RECIPIENTS: usize = 20;

/// A connection's communication, with its counts.
pub struct Journal {
    communication: Communication,
    /// An account was named by a recipient.
    has_account: bool,
    saved: Option<Instant>,
    /// Whether anything happened that somebody would look for: a port that is only looked at leaves no trace.
    matters: bool,
    /// Whether something could not be stored.
    failed: bool,
    messages: u64,
    known: u64,
    refused_messages: u64,
    deferred: u64,
    refused_recipients: u64,
    bytes: u64,
    /// What was refused for good and is not in the log yet.
    refusals: Vec<Refusal>,
    /// How many of them are in the log.
    refusals_told: usize,
}

/// A mail, or recipients of one, refused for good: somebody may look for it.
struct Refusal {
    /// The transaction; empty: none was begun.
    transaction: String,
    heading: MailHeading,
    /// What the header does not say: the envelope's sender and recipients.
    addresses: Vec<String>,
    sentences: Vec<String>,
}

impl Journal {
    /// Begins with the client's address.
    pub fn new(account: &str, protocol: &str, peer: Option<IpAddr>) -> Self {
        let mut communication = Communication::start(CommunicationKind::Connection, account, protocol);
        let from = peer.map_or_else(|| "the Unix socket".to_owned(), |peer| peer.to_string());
        communication.entry(Priority::Info, "transport.connection", format!("A client connected from {from}."));
        communication.searchable(&from);
        Self {
            communication,
            has_account: false,
            saved: None,
            matters: false,
            failed: false,
            messages: 0,
            known: 0,
            refused_messages: 0,
            deferred: 0,
            refused_recipients: 0,
            bytes: 0,
            refusals: Vec::new(),
            refusals_told: 0,
        }
    }

    /// Its id, for the messages that the connection brings.
    pub fn id(&self) -> &str {
        self.communication.id()
    }

    /// Adds an entry that alone would not be worth a row.
    pub fn note(&mut self, key: &str, sentence: impl Into<String>) {
        self.communication.entry(Priority::Debug, key, sentence);
    }

    /// Adds an entry.
    pub fn entry(&mut self, priority: Priority, key: &str, sentence: impl Into<String>) {
        self.matters = true;
        self.communication.entry(priority, key, sentence);
    }

    /// A recipient was accepted for an account; the first names the connection's.
    pub fn accepted(&mut self, account: &str) {
        if !self.has_account {
            self.has_account = true;
            self.communication.belongs_to(account);
        }
    }

    /// A recipient of a transaction was refused.
    pub fn refused_recipient(&mut self, transaction: &str, sender: &str, address: &str, reply: &Reply) {
        self.refused_recipients += 1;
        let sentence = format!("A recipient was refused: {reply} (of a message from <{sender}>)");
        self.entry(Priority::Notice, "transport.recipient", sentence.as_str());
        if !reply.is_permanent() {
            return;
        }
        match self.refusals.last_mut() {
            Some(last) if last.transaction == transaction => {
                if last.sentences.len() < MOST_RECIPIENTS {
                    last.addresses.push(address.to_owned());
                    last.sentences.push(sentence);
                }
            }
            _ => self.refusal(Refusal {
                transaction: transaction.to_owned(),
                heading: MailHeading::new(sender, address, "", ""),
                addresses: Vec::new(),
                sentences: vec![sentence],
            }),
        }
    }

    fn refusal(&mut self, refusal: Refusal) {
        if self.refusals_told + self.refusals.len() < MOST_REFUSALS {
            self.refusals.push(refusal);
        }
    }

    /// Writes what was refused to the log, each mail by itself.
    async fn tell_refusals(&mut self, sink: &impl Sink) {
        let refusals = std::mem::take(&mut self.refusals);
        self.refusals_told += refusals.len();
        for refusal in refusals {
            if !sink.may_tell_refusal() {
                continue;
            }
            let mut mail = self.communication.of_message();
            mail.about_mail(&refusal.heading);
            mail.came_to(MailFate::Refused);
            refusal.addresses.iter().for_each(|address| mail.searchable(address));
            for sentence in refusal.sentences {
                mail.entry(Priority::Warning, "transport.message", sentence);
            }
            sink.log(mail.finish(false)).await;
        }
    }

    /// A message was stored, or was known.
    pub fn stored(&mut self, id: &str, sender: &str, recipients: usize, bytes: u64, known: bool) {
        self.messages += 1;
        self.known += u64::from(known);
        self.bytes += bytes;
        let what = if known { "was here before; nothing is filed twice" } else { "is stored" };
        let sentence = format!("Message {id} from <{sender}> for {recipients} recipients, {bytes} bytes, {what}.");
        self.entry(Priority::Info, "transport.message", sentence);
        self.communication.searchable(sender);
    }

    /// A message was refused, for now or for good; `heading`: which mail it is, where that had come.
    pub fn refused_message(&mut self, sender: &str, recipients: &[&str], heading: Option<&MailHeading>, reply: &Reply) {
        let for_good = reply.is_permanent();
        self.refused_messages += u64::from(for_good);
        self.deferred += u64::from(!for_good);
        let mail = heading.map(|heading| format!(" ({heading})")).unwrap_or_default();
        let sentence = format!("A message from <{sender}> was not stored: {reply}{mail}");
        self.entry(Priority::Warning, "transport.message", sentence.as_str());
        if for_good {
            let heading = heading.filter(|heading| !heading.sender.is_empty()).cloned();
            self.refusal(Refusal {
                transaction: String::new(),
                heading: heading.unwrap_or_else(|| MailHeading::new(sender, &recipients.join(", "), "", "")),
                addresses: [sender].iter().chain(recipients).take(MOST_RECIPIENTS).map(|&to| to.to_owned()).collect(),
                sentences: vec![sentence],
            });
        }
    }

    /// The database or disk failed.
    pub fn failed(&mut self, sentence: String) {
        self.failed = true;
        self.entry(Priority::Error, "transport.failed", sentence);
    }

    /// Writes the row as it is now, if that was long ago, so that it can be read while the connection lasts.
    pub async fn show(&mut self, sink: &impl Sink) {
        if self.saved.is_none_or(|saved| saved.elapsed() >= SAVED_EVERY) {
            self.saved = Some(Instant::now());
            sink.log(self.communication.so_far()).await;
            self.tell_refusals(sink).await;
        }
    }

    /// Writes the row to its end.
    pub async fn end(mut self, sink: &impl Sink) {
        if !self.matters && self.saved.is_none() {
            return;
        }
        let summary = format!(
            "{} messages taken ({} of them known, {} bytes); refused: {} messages and {} recipients; put off: {} messages.",
            self.messages, self.known, self.bytes, self.refused_messages, self.refused_recipients, self.deferred
        );
        self.communication.entry(Priority::Info, "transport.summary", summary);
        self.tell_refusals(sink).await;
        let failed = self.failed;
        sink.log(self.communication.finish(failed)).await;
    }
}
