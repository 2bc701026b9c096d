//! The part of a session that takes a message: DATA and BDAT, and the answers, which come when it is durable.

use super::data::{DataFault, IncomingBody, drop_chunk};
use super::reply::{Reply, displaced, too_slow};
use super::session::{NextStep, Session};
use super::sink::Sink;
use super::trace::{self, ArrivalTrace};
use super::transaction::Transaction;
use super::wire::{Wire, WireError};
use crate::commlog;
use crate::store::StoreError;
use postigo_model::communication::MailHeading;
use postigo_model::configured::Dialect;
use postigo_model::spool::TakenIn;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::Instant;

/// So much more than is taken is read to its end and dropped, so that the client hears why; then the connection is
/// closed.
const DROPPED: u64 = 64 << 20;

impl<S: Sink> Session<S> {
    pub(super) async fn data(&mut self, wire: &mut Wire) -> Result<NextStep, WireError> {
        let Some(transaction) =
            self.transaction.as_ref().filter(|open| !open.recipients.is_empty() && open.body.is_none())
        else {
            self.mistake(wire, &Reply::new(503, "5.5.1", self.why_no_message()));
            return Ok(NextStep::Command);
        };
        let (mut body, policy) = (self.body(transaction), transaction.policy.clone());
        wire.answer(&Reply::plain(354, "Go on, and end with a dot on a line of its own"));
        while !body.take_lines(&mut wire.input) {
            if body.received() > policy.greatest + DROPPED {
                let fault = body.fault().unwrap_or(DataFault::TooLarge);
                return Ok(self.give_up(wire, fault, body.heading()));
            }
            let end = self.end_of_read(&body, policy.patience);
            if let Err(error) = self.more(wire, end).await {
                return self.broken(wire, error, Some(&body));
            }
        }
        Ok(self.deliver(body, wire).await)
    }

    pub(super) async fn chunk(&mut self, size: u64, last: bool, wire: &mut Wire) -> Result<NextStep, WireError> {
        let greatest = self.sink.policy().greatest;
        let mut transaction = self.transaction.take();
        let mut body = match &mut transaction {
            Some(open) if !open.recipients.is_empty() => Some(open.body.take().unwrap_or_else(|| self.body(open))),
            _ => None,
        };
        let before = body.as_ref().map_or(0, IncomingBody::received);
        self.transaction = transaction;
        if before.saturating_add(size) > greatest + DROPPED {
            return Ok(self.give_up(wire, DataFault::TooLarge, body.as_ref().and_then(IncomingBody::heading)));
        }
        let patience = self.sink.policy().patience;
        let alone = Instant::now() + self.limits.grace;
        let dropped = body.is_none().then(|| self.client.place.bring());
        let mut left = size;
        loop {
            match &mut body {
                Some(body) => body.take_chunk(&mut wire.input, &mut left),
                None => drop_chunk(&mut wire.input, &mut left),
            }
            if let Some(dropped) = &dropped {
                dropped.came(size - left);
            }
            if left == 0 {
                break;
            }
            let end = body.as_ref().map_or(alone, |body| self.end_of_read(body, patience));
            if let Err(error) = self.more(wire, end).await {
                return self.broken(wire, error, body.as_ref());
            }
        }
        match body {
            None => self.mistake(wire, &Reply::new(503, "5.5.1", self.why_no_message())),
            Some(body) if last => return Ok(self.deliver(body, wire).await),
            Some(body) => {
                let reply = body
                    .fault()
                    .map_or_else(|| Reply::new(250, "2.0.0", format!("{size} bytes taken")), DataFault::reply);
                wire.answer(&reply);
                if let Some(transaction) = &mut self.transaction {
                    transaction.body = Some(body);
                }
            }
        }
        Ok(NextStep::Command)
    }

    fn why_no_message(&self) -> &'static str {
        match &self.transaction {
            None => "MAIL and RCPT come first",
            Some(open) if open.recipients.is_empty() => "No recipient was taken",
            Some(_) => "The message has begun by BDAT",
        }
    }

    /// A body that begins with this host's trace headers.
    fn body(&self, transaction: &Transaction) -> IncomingBody {
        let (hello, extended) = self.hello.as_ref().map_or(("", false), |(name, extended)| (name.as_str(), *extended));
        let client = &self.client;
        let way = ArrivalTrace {
            dialect: client.dialect,
            extended,
            secure: self.secure.is_some(),
            utf8: transaction.utf8,
            hello,
            peer: client.peer,
        };
        let recipients: Vec<&str> = transaction.recipients.iter().map(|recipient| recipient.address.as_str()).collect();
        let headers =
            trace::headers(&way, &transaction.sender, &recipients, &transaction.id, OffsetDateTime::now_utc());
        let share = self.limits.room.share(&self.client.sharer());
        IncomingBody::new(headers.into_bytes(), transaction.policy.greatest, share).told(client.place.bring())
    }

    /// Reads more of a message, unless others need the place of a client that brings it slowly.
    async fn more(&self, wire: &mut Wire, end: Instant) -> Result<(), WireError> {
        tokio::select! {
            biased;
            () = self.client.place.displaced() => Err(WireError::Displaced),
            more = wire.more(end) => more,
        }
    }

    /// When a read within a message has taken too long: for itself, or because all of it comes too slowly, whatever is
    /// said between its chunks.
    pub(super) fn end_of_read(&self, body: &IncomingBody, patience: Duration) -> Instant {
        let due = Duration::from_secs(body.received() / self.limits.bytes_a_second.max(1));
        let grace = if self.client.place.is_one_of_few() { self.limits.short_grace } else { self.limits.grace };
        (Instant::now() + patience).min(body.begun() + grace + due)
    }

    /// A client that never comes to the end of what is refused hears why all the same.
    fn broken(
        &mut self,
        wire: &mut Wire,
        error: WireError,
        body: Option<&IncomingBody>,
    ) -> Result<NextStep, WireError> {
        match (&error, body.and_then(IncomingBody::fault)) {
            (WireError::TooSlow | WireError::Displaced, Some(fault)) => {
                return Ok(self.give_up(wire, fault, body.and_then(IncomingBody::heading)));
            }
            (WireError::TooSlow, None) => wire.answer(&too_slow()),
            (WireError::Displaced, None) => wire.answer(&displaced()),
            (WireError::Gone | WireError::Broken(_), _) => {}
        }
        Err(error)
    }

    fn give_up(&mut self, wire: &mut Wire, fault: DataFault, heading: Option<&MailHeading>) -> NextStep {
        match self.transaction.take() {
            Some(transaction) if !transaction.recipients.is_empty() => {
                self.refuse(&transaction, &fault.reply(), heading, wire);
            }
            _ => self.mistake(wire, &fault.reply()),
        }
        NextStep::Close
    }

    /// Stores the message and answers: for each recipient in LMTP (RFC 2033 section 4.2), once in SMTP.
    async fn deliver(&mut self, body: IncomingBody, wire: &mut Wire) -> NextStep {
        let Some(transaction) = self.transaction.take() else { return NextStep::Command };
        let size = body.received();
        // The share is kept until the bytes are stored.
        let (raw, own, _share) = match body.finish() {
            Ok(whole) => whole,
            Err((fault, heading)) => {
                self.refuse(&transaction, &fault.reply(), Some(&heading), wire);
                return if fault == DataFault::BareNewline { NextStep::Close } else { NextStep::Command };
            }
        };
        // The log's row comes first: messages name it.
        self.journal.show(&*self.sink).await;
        let arrivals = transaction.arrivals(raw, own, self.client.dialect.name(), self.journal.id(), commlog::now());
        match self.sink.take_in(arrivals).await {
            Ok(taken) => self.stored(&transaction, &taken, size, wire),
            Err(error) => {
                tracing::warn!(%error, "a message could not be stored; its client keeps it");
                self.journal
                    .failed(format!("A message could not be stored; the client keeps it and tries again: {error}"));
                self.refuse(&transaction, &temporary(&error), None, wire);
            }
        }
        NextStep::Command
    }

    fn stored(&mut self, transaction: &Transaction, taken: &[TakenIn], size: u64, wire: &mut Wire) {
        let is_known = |taken: &TakenIn| !matches!(taken, TakenIn::New(_));
        for (account, taken) in transaction.accounts().into_iter().zip(taken) {
            self.sink.count(account, if is_known(taken) { "known" } else { "stored" });
        }
        let known = taken.iter().all(is_known);
        self.journal.stored(&transaction.id, &transaction.sender, transaction.recipients.len(), size, known);
        let reply =
            Reply::new(250, "2.0.0", format!("{} as {}", if known { "Known" } else { "Stored" }, transaction.id));
        self.answer_all(transaction, &reply, wire);
    }

    fn refuse(&mut self, transaction: &Transaction, reply: &Reply, heading: Option<&MailHeading>, wire: &mut Wire) {
        for account in transaction.accounts() {
            self.sink.count(account, if reply.is_permanent() { "refused" } else { "deferred" });
        }
        let recipients: Vec<&str> = transaction.recipients.iter().map(|recipient| recipient.address.as_str()).collect();
        self.journal.refused_message(&transaction.sender, &recipients, heading, reply);
        self.answer_all(transaction, reply, wire);
    }

    fn answer_all(&mut self, transaction: &Transaction, reply: &Reply, wire: &mut Wire) {
        let answers = if self.client.dialect == Dialect::Lmtp { transaction.recipients.len() } else { 1 };
        for _ in 0..answers {
            wire.answer(reply);
        }
    }
}

/// Whatever the spool's failure is, the message stays with the client.
fn temporary(error: &StoreError) -> Reply {
    if error.is_full() {
        Reply::new(452, "4.3.1", "There is no room to store the message now; try again later")
    } else {
        Reply::new(451, "4.3.0", "The message could not be stored now; try again later")
    }
}
