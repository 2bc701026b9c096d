//! A client's session: commands in, answers out, the state between them (RFC 5321 section 4.1.4).

use super::command::{self, Command, Greeting};
use super::journal::Journal;
use super::reply::{Reply, displaced, too_slow};
use super::sink::Sink;
use super::tls;
use super::trace::host_name;
use super::transaction::{Recipient, Transaction};
use super::wire::{ClientLine, Wire, WireError};
use postigo_model::communication::Priority;
use postigo_model::configured::Dialect;
use postigo_model::configured::Tls;
use postigo_net::listen;
use postigo_net::listen::{ClientPlace, IntakeBudget, ServedClient};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// What a client may do at most.
#[derive(Debug, Clone)]
pub struct SessionLimits {
    /// A client that says nothing for so long is told goodbye (RFC 5321 section 4.5.3.2.7).
    pub command: Duration,
    /// Recipients of a transaction; more are put off to another (RFC 5321 section 4.5.3.1.10).
    pub recipients: usize,
    /// Mistakes until a client is told goodbye.
    pub mistakes: u32,
    /// Transactions until a client is told to connect anew.
    pub transactions: u32,
    /// Within this time a message need not come at [`Self::bytes_a_second`].
    pub grace: Duration,
    /// The same when most places are taken.
    pub short_grace: Duration,
    /// Afterwards it must, on the whole: a client that drips does not hold a connection for ever.
    pub bytes_a_second: u64,
    /// What the messages of all sessions may take in memory, shared by clients' addresses.
    pub room: Arc<IntakeBudget>,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            command: Duration::from_mins(5),
            recipients: 1_000,
            mistakes: 20,
            transactions: 10_000,
            grace: Duration::from_mins(2),
            short_grace: Duration::from_secs(10),
            bytes_a_second: 1_024,
            room: Arc::default(),
        }
    }
}

/// Who is at the other end.
#[derive(Debug)]
pub struct LmtpClient {
    /// LMTP or SMTP.
    pub dialect: Dialect,
    /// Its address; none over a Unix socket.
    pub peer: Option<IpAddr>,
    /// The certificate that STARTTLS is offered with; none without.
    pub tls: Tls,
    /// Its place at the listener.
    pub place: Arc<ClientPlace>,
}

impl LmtpClient {
    /// Whose messages share a part of the room with its own.
    pub(super) fn sharer(&self) -> String {
        self.peer.map_or_else(|| "the Unix socket".to_owned(), |peer| listen::network(peer).to_string())
    }
}

/// How a session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// With the next command.
    Command,
    /// Over TLS.
    StartTls,
    /// Not at all.
    Close,
}

/// A session. It outlives STARTTLS, which changes only its bytes' way.
pub struct Session<S> {
    pub(super) sink: Arc<S>,
    pub(super) client: LmtpClient,
    pub(super) limits: SessionLimits,
    pub(super) stop: CancellationToken,
    pub(super) journal: Journal,
    /// What TLS was agreed on.
    pub(super) secure: Option<String>,
    /// The client's name of itself, and whether it knows extensions.
    pub(super) hello: Option<(String, bool)>,
    pub(super) transaction: Option<Transaction>,
    /// What agrees on TLS, after [`NextStep::StartTls`].
    acceptor: Option<TlsAcceptor>,
    /// While a command is obeyed or a message has begun.
    served: Option<ServedClient>,
    transactions: u32,
    mistakes: u32,
}

impl<S: Sink> Session<S> {
    /// A session that begins.
    pub fn new(sink: Arc<S>, client: LmtpClient, limits: SessionLimits, stop: CancellationToken) -> Self {
        let journal = Journal::new(sink.policy().first_account(), client.dialect.name(), client.peer);
        Self {
            sink,
            client,
            limits,
            stop,
            journal,
            secure: None,
            hello: None,
            transaction: None,
            acceptor: None,
            served: None,
            transactions: 0,
            mistakes: 0,
        }
    }

    /// What agrees on TLS with the client that was told to begin.
    pub fn take_acceptor(&mut self) -> Option<TlsAcceptor> {
        self.acceptor.take()
    }

    /// TLS was agreed on: what was said before does not count (RFC 3207 section 4.2).
    pub fn secured(&mut self, agreed: String) {
        self.journal.note("transport.tls", format!("TLS was agreed on: {agreed}."));
        (self.secure, self.hello, self.transaction) = (Some(agreed), None, None);
    }

    /// Talks until the client or this side ends it, or TLS is to begin.
    pub async fn run(&mut self, wire: &mut Wire) -> NextStep {
        match self.talk(wire).await {
            Ok(next) => next,
            Err(error) => {
                if let (WireError::TooSlow, true) = (&error, self.transaction.is_none()) {
                    wire.answer(&Reply::new(421, "4.4.2", "Silent for too long; goodbye"));
                }
                if self.transaction.is_some() {
                    self.journal.entry(
                        Priority::Warning,
                        "transport.connection",
                        format!("A transaction was not ended: {error}."),
                    );
                }
                NextStep::Close
            }
        }
    }

    /// Ends the session's log.
    pub async fn end(self) {
        self.journal.end(&*self.sink).await;
    }

    async fn talk(&mut self, wire: &mut Wire) -> Result<NextStep, WireError> {
        if self.secure.is_none() {
            wire.answer(&Reply::plain(220, format!("{} {} Postigo", host_name(), in_greeting(self.client.dialect))));
        }
        loop {
            let line = match self.line(wire).await? {
                Some(ClientLine::Whole(line)) => line,
                Some(ClientLine::BareNewline) => {
                    self.mistake(wire, &Reply::new(500, "5.5.2", "A line ends with CRLF, not with LF alone"));
                    return Ok(NextStep::Close);
                }
                Some(ClientLine::TooLong) => {
                    self.mistake(wire, &Reply::new(500, "5.5.6", "The line is too long"));
                    return Ok(NextStep::Close);
                }
                None if self.client.place.is_displaced() => {
                    wire.answer(&Reply::new(
                        421,
                        "4.7.0",
                        "All connections are taken, and you were silent longest; come again",
                    ));
                    return Ok(NextStep::Close);
                }
                None => {
                    wire.answer(&Reply::new(421, "4.3.2", "Postigo is being stopped; try again soon"));
                    return Ok(NextStep::Close);
                }
            };
            let next = match command::parse(&line) {
                Ok(command) => self.obey(command, wire).await?,
                Err(reply) => {
                    self.mistake(wire, &reply);
                    if hides_commands(&line) { NextStep::Close } else { NextStep::Command }
                }
            };
            if next != NextStep::Command {
                return Ok(next);
            }
            if self.mistakes >= self.limits.mistakes {
                wire.answer(&Reply::new(421, "4.7.0", "Too many mistakes; goodbye"));
                return Ok(NextStep::Close);
            }
        }
    }

    /// The next line; none when this side is to end, or others need the place of a client that says nothing.
    async fn line(&mut self, wire: &mut Wire) -> Result<Option<ClientLine>, WireError> {
        let begun = self.transaction.as_ref().and_then(|transaction| transaction.body.as_ref());
        let end = begun
            .map_or_else(|| Instant::now() + self.limits.command, |body| self.end_of_read(body, self.limits.command));
        let begun = begun.is_some();
        let stop = self.stop.clone();
        let place = Arc::clone(&self.client.place);
        if stop.is_cancelled() && self.transaction.is_none() {
            return Ok(None);
        }
        loop {
            if let Some(line) = wire.line() {
                self.served = self.served.take().or_else(|| place.serve());
                return Ok(self.served.is_some().then_some(line));
            }
            if !begun && self.served.take().is_some() {
                wire.rest();
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(None),
                () = place.displaced() => {
                    if begun {
                        wire.answer(&displaced());
                        return Err(WireError::Displaced);
                    }
                    return Ok(None);
                }
                more = wire.more(end) => match more {
                    Err(WireError::Gone) if wire.input.is_empty() && self.transaction.is_none() => return Err(WireError::Gone),
                    Err(WireError::TooSlow) if begun => {
                        wire.answer(&too_slow());
                        return Err(WireError::TooSlow);
                    }
                    more => more?,
                },
            }
        }
    }

    pub(super) fn mistake(&mut self, wire: &mut Wire, reply: &Reply) {
        self.mistakes += 1;
        self.journal.entry(Priority::Notice, "transport.command", format!("A command was refused: {reply}"));
        wire.answer(reply);
    }

    async fn obey(&mut self, command: Command, wire: &mut Wire) -> Result<NextStep, WireError> {
        match command {
            Command::Hello(greeting, name) => self.hello(greeting, name, wire),
            Command::Mail { sender, size, utf8 } => return Ok(self.mail(sender, size, utf8, wire).await),
            Command::Recipient(address) => self.recipient(address, wire),
            Command::Data => return self.data(wire).await,
            Command::Chunk(size, last) => return self.chunk(size, last, wire).await,
            Command::Reset => {
                self.transaction = None;
                wire.answer(&Reply::new(250, "2.0.0", "Forgotten"));
            }
            Command::Nothing => wire.answer(&Reply::new(250, "2.0.0", "OK")),
            Command::Verify => wire.answer(&Reply::new(252, "2.5.2", "Send some mail, and see")),
            Command::Help => wire.answer(&Reply::new(214, "2.0.0", "RFC 5321 and RFC 2033 say more")),
            Command::StartTls => return Ok(self.start_tls(wire).await),
            Command::Quit => {
                wire.answer(&Reply::new(221, "2.0.0", "Goodbye"));
                return Ok(NextStep::Close);
            }
        }
        Ok(NextStep::Command)
    }

    fn hello(&mut self, greeting: Greeting, name: String, wire: &mut Wire) {
        if (greeting == Greeting::Lhlo) != (self.client.dialect == Dialect::Lmtp) {
            let say =
                if self.client.dialect == Dialect::Lmtp { "This is LMTP: say LHLO" } else { "This is SMTP: say EHLO" };
            return self.mistake(wire, &Reply::new(500, "5.5.1", say));
        }
        self.journal.note("transport.hello", format!("The client calls itself {name:?}."));
        self.transaction = None;
        self.hello = Some((name, greeting != Greeting::Helo));
        if greeting == Greeting::Helo {
            return wire.answer(&Reply::plain(250, host_name()));
        }
        let mut lines =
            vec![host_name().to_owned(), "PIPELINING".into(), format!("SIZE {}", self.sink.policy().greatest)];
        lines.extend(["8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING"].map(str::to_owned));
        if self.offers_tls() {
            lines.push("STARTTLS".into());
        }
        wire.answer_lines(250, &lines);
    }

    fn offers_tls(&self) -> bool {
        !self.client.tls.certificate.is_empty() && self.secure.is_none()
    }

    async fn mail(&mut self, sender: String, size: u64, utf8: bool, wire: &mut Wire) -> NextStep {
        if self.hello.is_none() {
            self.mistake(wire, &Reply::new(503, "5.5.1", "Greet first"));
            return NextStep::Command;
        }
        if self.transaction.is_some() {
            self.mistake(wire, &Reply::new(503, "5.5.1", "A transaction is open already"));
            return NextStep::Command;
        }
        self.transactions += 1;
        let Some(policy) = self.sink.newest_policy().await else {
            let reply = Reply::new(451, "4.3.5", "What is configured cannot be taken up now; try again later");
            self.journal.refused_message(&sender, &[], None, &reply);
            wire.answer(&reply);
            return NextStep::Command;
        };
        let refusal = if self.transactions > self.limits.transactions {
            Some(Reply::new(421, "4.7.0", "Enough for one connection; connect anew"))
        } else if size > policy.greatest {
            Some(Reply::new(552, "5.3.4", format!("At most {} bytes are taken", policy.greatest)))
        } else if self.sink.is_full(&policy).await {
            Some(Reply::new(452, "4.3.1", "No room for more messages now"))
        } else {
            None
        };
        if let Some(reply) = refusal {
            self.journal.refused_message(&sender, &[], None, &reply);
            wire.answer(&reply);
            return if reply.code == 421 { NextStep::Close } else { NextStep::Command };
        }
        self.transaction = Some(Transaction::new(sender, utf8, policy));
        wire.answer(&Reply::new(250, "2.1.0", "Sender taken"));
        NextStep::Command
    }

    fn recipient(&mut self, address: String, wire: &mut Wire) {
        let Some(transaction) = &mut self.transaction else {
            return self.mistake(wire, &Reply::new(503, "5.5.1", "MAIL comes first"));
        };
        let found = if transaction.recipients.len() >= self.limits.recipients {
            Err(Reply::new(452, "4.5.3", "Too many recipients; send the others in another transaction"))
        } else if transaction.body.is_some() {
            Err(Reply::new(503, "5.5.1", "The message has begun already"))
        } else if !address.is_ascii() && !transaction.utf8 {
            Err(Reply::new(553, "5.6.7", "The recipient's address is not ASCII; say SMTPUTF8"))
        } else {
            transaction.policy.find(self.client.peer, &address).map(str::to_owned)
        };
        match found {
            Ok(account) => {
                self.journal.accepted(&account);
                transaction.recipients.push(Recipient { address, account });
                wire.answer(&Reply::new(250, "2.1.5", "Recipient taken"));
            }
            Err(reply) => {
                self.journal.refused_recipient(&transaction.id, &transaction.sender, &address, &reply);
                wire.answer(&reply);
            }
        }
    }

    /// The certificate is read for each client, so that a renewed one is shown without a restart.
    async fn start_tls(&mut self, wire: &mut Wire) -> NextStep {
        if !self.offers_tls() {
            self.mistake(wire, &Reply::new(502, "5.5.1", "STARTTLS is not offered"));
            return NextStep::Command;
        }
        match tls::acceptor(&self.client.tls).await {
            Ok(acceptor) => self.acceptor = acceptor,
            Err(error) => {
                self.journal.entry(Priority::Error, "transport.tls", error.to_string());
                wire.answer(&Reply::new(454, "4.7.0", "TLS cannot be begun now; try again later"));
                return NextStep::Command;
            }
        }
        if !wire.input.is_empty() {
            self.journal.entry(
                Priority::Warning,
                "transport.tls",
                "The client sent more behind STARTTLS, in clear; it was dropped.",
            );
        }
        wire.answer(&Reply::new(220, "2.0.0", "Begin TLS"));
        NextStep::StartTls
    }
}

/// Whether what follows a line that was refused are no commands, though it may look so: a chunk's bytes (RFC 3030),
/// whose number could not be read, or the body of a request that a lured browser sent.
fn hides_commands(line: &[u8]) -> bool {
    let begins = |verb: &&[u8]| line.get(..verb.len()).is_some_and(|start| start.eq_ignore_ascii_case(verb));
    [b"BDAT".as_slice(), b"GET ", b"POST ", b"PUT ", b"CONNECT "].iter().any(begins)
}

/// What a listener says in its first line that it speaks.
fn in_greeting(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Lmtp => "LMTP",
        Dialect::Smtp => "ESMTP",
    }
}
