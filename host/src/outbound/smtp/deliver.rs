//! One mail over a session: MAIL, RCPT, DATA, and what the answers mean for each recipient.

use super::Session;
use super::error::{Answer, answer};
use crate::commlog::Priority;
use crate::outbound::address;
use crate::outbound::reply::{Replies, Reply, all};
use crate::store::outgoing::{self, Claim};
use crate::store::{Store, StoreError};
use lettre::Address;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{MailBodyParameter, MailParameter};
use std::sync::atomic::{AtomicBool, Ordering};

/// So many bytes are prepared for the wire at once.
const CHUNK: usize = 64 << 10;

/// Whom a mail is from and for.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'m> {
    /// Empty: the null sender.
    pub sender: &'m str,
    /// Bare addresses.
    pub recipients: &'m [String],
}

/// Notes durably that the content of a mail is about to go out, where that matters.
#[derive(Debug)]
pub struct Marker {
    store: Store,
    claim: Option<Claim>,
}

impl Marker {
    /// For this claim; none: the mail may be sent twice.
    pub fn new(store: Store, claim: Option<Claim>) -> Self {
        Self { store, claim }
    }

    /// Notes it. On an error nothing may go out.
    pub async fn begin(&self) -> Result<(), StoreError> {
        match self.claim.clone() {
            Some(claim) => self.store.write(claim, |claim, connection| Box::pin(outgoing::begin_data(connection, claim))).await,
            None => Ok(()),
        }
    }
}

impl Session {
    /// Sends a mail; gives a reply for each recipient. `raw` has CRLF line ends.
    pub async fn deliver(&mut self, envelope: Envelope<'_>, raw: &[u8], marker: &Marker) -> Replies {
        let sender = match self.address(envelope.sender) {
            Ok(sender) => sender,
            Err(why) => return all(envelope.recipients, &Reply::Refused(why)),
        };
        if let Some(why) = self.too_large(raw) {
            return all(envelope.recipients, &Reply::Refused(why));
        }
        let mut replies = Replies::new();
        let mut fit: Vec<(&String, Address)> = Vec::new();
        for recipient in envelope.recipients {
            match self.address(recipient) {
                Ok(Some(address)) => fit.push((recipient, address)),
                Ok(None) => replies.push((recipient.clone(), Reply::Refused("The recipient has no address.".into()))),
                Err(why) => replies.push((recipient.clone(), Reply::Refused(why))),
            }
        }
        if fit.is_empty() {
            return replies;
        }
        let parameters = self.parameters(sender.iter().chain(fit.iter().map(|(_, address)| address)), raw);
        if let Err(answer) = self.command(Mail::new(sender, parameters)).await {
            replies.extend(fit.into_iter().map(|(recipient, _)| (recipient.clone(), answer.reply())));
            return replies;
        }
        let (accepted, refused) = self.recipients(fit).await;
        replies.extend(refused);
        if accepted.is_empty() {
            self.take_back().await;
        } else {
            let reply = self.content(raw, marker).await;
            replies.extend(accepted.into_iter().map(|recipient| (recipient, reply.clone())));
        }
        replies
    }

    /// Takes back what was begun by MAIL: the next mail would be refused for it. Where that does not work, the session is not used again.
    async fn take_back(&mut self) {
        if !self.broken && self.command("RSET\r\n").await.is_err() {
            self.broken = true;
        }
    }

    /// None for the null sender.
    fn address(&self, address: &str) -> Result<Option<Address>, String> {
        if address.is_empty() {
            return Ok(None);
        }
        let address = address::envelope(address)?;
        if address::needs_utf8(&address) && self.offer("SMTPUTF8").is_none() {
            return Err(format!("The address {address} needs a server that speaks SMTPUTF8 (RFC 6531), and this one does not."));
        }
        Ok(Some(address))
    }

    /// Why the server would not take so many bytes (SIZE, RFC 1870).
    fn too_large(&self, raw: &[u8]) -> Option<String> {
        let limit: usize = self.offer("SIZE")?.trim().parse().ok()?;
        (limit > 0 && raw.len() > limit).then(|| format!("The mail has {} bytes, and the server takes {limit} at most.", raw.len()))
    }

    fn parameters<'a>(&mut self, mut addresses: impl Iterator<Item = &'a Address>, raw: &[u8]) -> Vec<MailParameter> {
        let mut parameters = Vec::new();
        if self.offer("SIZE").is_some() {
            parameters.push(MailParameter::Size(raw.len()));
        }
        if !raw.is_ascii() {
            if self.offer("8BITMIME").is_some() {
                parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
            } else {
                // Servers that do not say so take eight bits all the same; to refuse would lose mail that only passes through.
                self.note(Priority::Notice, "The server does not offer 8BITMIME; the mail is sent with its eight-bit bytes as they are.");
            }
        }
        if addresses.any(address::needs_utf8) {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        parameters
    }

    /// Names the recipients; gives those that the server takes, and the replies for the others.
    async fn recipients(&mut self, fit: Vec<(&String, Address)>) -> (Vec<String>, Replies) {
        let (mut accepted, mut refused) = (Vec::new(), Replies::new());
        for (recipient, address) in fit {
            if self.broken {
                refused.push((recipient.clone(), Reply::Later("The connection broke before this recipient was named.".into())));
                continue;
            }
            match self.command(Rcpt::new(address, Vec::new())).await {
                Ok(_) => accepted.push(recipient.clone()),
                Err(answer) => refused.push((recipient.clone(), answer.reply())),
            }
        }
        if self.broken {
            let broke = Reply::Later("The connection broke before the content was sent.".into());
            refused.extend(accepted.drain(..).map(|recipient| (recipient, broke.clone())));
        }
        (accepted, refused)
    }

    /// Sends the content; the reply is that of every recipient that was accepted.
    async fn content(&mut self, raw: &[u8], marker: &Marker) -> Reply {
        if let Err(error) = marker.begin().await {
            self.take_back().await;
            return Reply::Later(format!("Not sent: {error}"));
        }
        match self.command(Data).await {
            Ok(response) if response.has_code(354) => {}
            Ok(response) => {
                self.broken = true;
                return Reply::Later(format!("The server answers {} to DATA where 354 was due.", response.code()));
            }
            Err(answer) => {
                self.take_back().await;
                return answer.reply();
            }
        }
        // The library ends the content by CRLF, dot, CRLF: the CRLF that the mail ends with is that one.
        let body = raw.strip_suffix(b"\r\n").unwrap_or(raw);
        let whole = AtomicBool::new(false);
        let chunks = body.chunks(CHUNK).chain(std::iter::once_with(|| {
            // Asked for only once all before it is written; what follows is the dot.
            whole.store(true, Ordering::Relaxed);
            &[][..]
        }));
        let answered = self.connection.message_iter(chunks).await;
        self.sent += 1;
        self.used = tokio::time::Instant::now();
        match answered {
            Ok(response) if response.code().is_positive() && !response.has_code(354) => Reply::Accepted(super::wire::words(&response)),
            Ok(response) => {
                self.broken = true;
                Reply::Unknown(format!("The server answers {} to the content, which says neither yes nor no.", response.code()))
            }
            Err(error) => {
                let answer = answer(&error);
                self.broken |= answer.ends_connection();
                match answer {
                    Answer::Broken(words) if whole.load(Ordering::Relaxed) => {
                        Reply::Unknown(format!("The mail went out whole and no answer came: {words}."))
                    }
                    Answer::Broken(words) => Reply::Later(format!("The content went out in part only: {words}.")),
                    answer => answer.reply(),
                }
            }
        }
    }
}
