//! One mail transaction (RFC 5321 section 3.3): a sender, recipients, and the message, which becomes one arrival an
//! account.

use super::data::IncomingBody;
use super::recipients::Policy;
use bytes::Bytes;
use postigo_model::spool::{Arrival, SourceKey};
use std::sync::Arc;

/// A transaction that was begun by MAIL.
#[derive(Debug)]
pub struct Transaction {
    /// Names it to people: in the Received header, in answers, in the log.
    pub id: String,
    /// Envelope sender; empty: the null sender.
    pub sender: String,
    /// Whether it is SMTPUTF8.
    pub utf8: bool,
    /// Those that were accepted, in order.
    pub recipients: Vec<Recipient>,
    /// Who is taken in, as of MAIL.
    pub policy: Arc<Policy>,
    /// What BDAT has brought so far.
    pub body: Option<IncomingBody>,
}

/// An accepted recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// As the client wrote it.
    pub address: String,
    /// The account that takes it.
    pub account: String,
}

impl Transaction {
    /// Without recipients yet.
    pub fn new(sender: String, utf8: bool, policy: Arc<Policy>) -> Self {
        let id = uuid::Uuid::now_v7().simple().to_string();
        Self { id, sender, utf8, recipients: Vec::new(), policy, body: None }
    }

    /// The accounts of its recipients, each once, in the order of the recipients.
    pub fn accounts(&self) -> Vec<&str> {
        let mut accounts: Vec<&str> = Vec::new();
        for recipient in &self.recipients {
            if !accounts.contains(&recipient.account.as_str()) {
                accounts.push(&recipient.account);
            }
        }
        accounts
    }

    /// One message for each account, of which this host wrote the first `own` bytes.
    pub fn arrivals(
        &self,
        raw: Vec<u8>,
        own: usize,
        protocol: &str,
        communication: &str,
        received_at: i64,
    ) -> Vec<Arrival> {
        let raw = Bytes::from(raw);
        let arrival = |account: &str| Arrival {
            account: account.to_owned(),
            key: SourceKey::DigestAfter(own),
            source: format!("{protocol}/{}", self.id),
            received_at,
            recipients: self
                .recipients
                .iter()
                .filter(|found| found.account == account)
                .map(|found| found.address.clone())
                .collect(),
            communication: Some(communication.to_owned()),
            raw: raw.clone(),
        };
        self.accounts().into_iter().map(arrival).collect()
    }
}
