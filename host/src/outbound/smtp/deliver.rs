//! One mail over a session: MAIL, RCPT, DATA, and what the answers mean for each recipient.

use super::error::NegativeReply;
use super::session::SmtpSession;
use crate::outbound::address;
use crate::outbound::content::{ContentParts, Lines};
use crate::outbound::marker::Marker;
use crate::outbound::reply::{RecipientReply, Replies, all};
use crate::store::StoreError;
use lettre::Address;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{MailBodyParameter, MailParameter};
use postigo_model::communication::Priority;
use postigo_net::waiting::waits_for;
use tokio::time::Instant;

/// Whom a mail is from and for, and what the server is told of its content.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'m> {
    /// Empty: the null sender.
    pub sender: &'m str,
    /// Bare addresses.
    pub recipients: &'m [String],
    /// Bytes of the content.
    pub size: usize,
    /// Whether the content may hold bytes above 127.
    pub has_eight_bits: bool,
}

/// Why there are no replies. The server has nothing of the mail.
#[derive(Debug)]
pub enum DeliverError {
    /// The server had ended the connection since the last mail: another connection may do.
    Left,
    /// The mail could not be read, or it could not be noted that it goes out.
    Store(StoreError),
}

impl From<StoreError> for DeliverError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What came of naming recipients.
#[derive(Default)]
struct NamedRecipients<'r> {
    /// The server takes them.
    accepted: Vec<String>,
    /// It does not, with what it said.
    refused: Replies,
    /// It takes no more in this transaction.
    left: Vec<(&'r String, Address)>,
}

impl SmtpSession {
    /// Sends a mail; gives a reply for each recipient. Where the server takes only so many recipients at once, the
    /// others follow in further transactions (RFC 5321 section 4.5.3.1.10); `content` gives the mail's bytes for each.
    pub async fn deliver(
        &mut self,
        envelope: Envelope<'_>,
        content: impl Fn() -> ContentParts,
        marker: &Marker,
    ) -> Result<Replies, DeliverError> {
        let sender = match self.address(envelope.sender) {
            Ok(sender) => sender,
            Err(why) => return Ok(all(envelope.recipients, &RecipientReply::Refused(why))),
        };
        if let Some(why) = self.too_large(envelope.size) {
            return Ok(all(envelope.recipients, &RecipientReply::Refused(why)));
        }
        let mut replies = Replies::new();
        let mut fit: Vec<(&String, Address)> = Vec::new();
        for recipient in envelope.recipients {
            match self.address(recipient) {
                Ok(Some(address)) => fit.push((recipient, address)),
                Ok(None) => {
                    replies.push((recipient.clone(), RecipientReply::Refused("The recipient has no address.".into())));
                }
                Err(why) => replies.push((recipient.clone(), RecipientReply::Refused(why))),
            }
        }
        if fit.is_empty() {
            return Ok(replies);
        }
        let parameters = self.parameters(sender.iter().chain(fit.iter().map(|(_, address)| address)), envelope);
        let mail = Mail::new(sender, parameters);
        let mut left = self.transaction(&mail, fit, false, content(), marker, &mut replies).await?;
        while !left.is_empty() {
            let recipients: Vec<&String> = left.iter().map(|(recipient, _)| *recipient).collect();
            match self.further(&mail, left, content(), marker, &mut replies).await {
                Ok(rest) => left = rest,
                // Some have the mail: what is left is tried later, and never the whole again.
                Err(why) => {
                    let later = |recipient: &String| (recipient.clone(), RecipientReply::Later(why.clone()));
                    replies.extend(recipients.into_iter().map(later));
                    break;
                }
            }
        }
        Ok(replies)
    }

    /// A further transaction, once it is noted who has the mail by the earlier ones; gives the recipients for whom another
    /// one is needed, or a sentence why there is none now.
    async fn further<'r>(
        &mut self,
        mail: &Mail,
        left: Vec<(&'r String, Address)>,
        content: ContentParts,
        marker: &Marker,
        replies: &mut Replies,
    ) -> Result<Vec<(&'r String, Address)>, String> {
        if self.broken {
            return Err(
                "The connection broke after the server had taken as many recipients as it takes at once.".into()
            );
        }
        let count = left.len();
        self.note(
            Priority::Info,
            format!("The server takes no more recipients at once; {count} follow in a further transaction."),
        );
        waits_for(|| "the database to note who has the mail".to_owned());
        marker.note_accepted(replies).await.map_err(|error| error.to_string())?;
        self.transaction(mail, left, true, content, marker, replies).await.map_err(|error| match error {
            DeliverError::Left => "The server ended the connection after the first recipients.".to_owned(),
            DeliverError::Store(error) => error.to_string(),
        })
    }

    /// One transaction, the first or a further one; gives the recipients for whom another one is needed. Then some were
    /// taken in this one.
    async fn transaction<'r>(
        &mut self,
        mail: &Mail,
        fit: Vec<(&'r String, Address)>,
        is_further: bool,
        content: ContentParts,
        marker: &Marker,
        replies: &mut Replies,
    ) -> Result<Vec<(&'r String, Address)>, DeliverError> {
        waits_for(|| "the server to take the mail's sender".to_owned());
        if let Err(answer) = self.done(mail).await {
            if self.sent > 0 && answer.ends_connection() {
                self.leave();
                return Err(DeliverError::Left);
            }
            replies.extend(fit.into_iter().map(|(recipient, _)| (recipient.clone(), answer.reply())));
            return Ok(Vec::new());
        }
        let NamedRecipients { accepted, refused, left } = self.recipients(fit, is_further).await;
        if accepted.is_empty() {
            self.take_back().await;
        } else {
            let reply = self.content(content, marker).await?;
            replies.extend(accepted.into_iter().map(|recipient| (recipient, reply.clone())));
        }
        replies.extend(refused);
        Ok(left)
    }

    /// Takes back what was begun by MAIL: the next mail would be refused for it. Where that does not work, the session
    /// is not used again.
    async fn take_back(&mut self) {
        if !self.broken && self.done(Rset).await.is_err() {
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
            return Err(format!(
                "The address {address} needs a server that speaks SMTPUTF8 (RFC 6531), and this one does not."
            ));
        }
        Ok(Some(address))
    }

    /// Why the server would not take so many bytes (SIZE, RFC 1870).
    fn too_large(&self, size: usize) -> Option<String> {
        let limit: usize = self.offer("SIZE")?.trim().parse().ok()?;
        (limit > 0 && size > limit).then(|| format!("The mail has {size} bytes, and the server takes {limit} at most."))
    }

    fn parameters<'a>(
        &mut self,
        mut addresses: impl Iterator<Item = &'a Address>,
        envelope: Envelope<'_>,
    ) -> Vec<MailParameter> {
        let mut parameters = Vec::new();
        if self.offer("SIZE").is_some() {
            parameters.push(MailParameter::Size(envelope.size));
        }
        if envelope.has_eight_bits {
            if self.offer("8BITMIME").is_some() {
                parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
            } else {
                // Servers that do not say so take eight bits all the same; to refuse would lose mail that only passes
                // through.
                self.note(
                    Priority::Notice,
                    "The server does not offer 8BITMIME; the mail is sent with its eight-bit bytes as they are.",
                );
            }
        }
        if addresses.any(address::needs_utf8) {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        parameters
    }

    /// Names the recipients. In a further transaction a server that takes no more at all has its limit for a while: that
    /// is no refusal of the recipient.
    async fn recipients<'r>(&mut self, fit: Vec<(&'r String, Address)>, is_further: bool) -> NamedRecipients<'r> {
        let mut named = NamedRecipients::default();
        let mut to_name = fit.into_iter();
        while let Some((recipient, address)) = to_name.next() {
            if self.broken {
                named.refused.push((
                    recipient.clone(),
                    RecipientReply::Later("The connection broke before this recipient was named.".into()),
                ));
                continue;
            }
            waits_for(|| format!("the server to take the recipient {recipient}"));
            match self.done(Rcpt::new(address.clone(), Vec::new())).await {
                Ok(()) => named.accepted.push(recipient.clone()),
                Err(answer) if answer.is_too_many() && !named.accepted.is_empty() => {
                    named.left.push((recipient, address));
                    named.left.extend(to_name.by_ref());
                }
                Err(answer) if answer.is_too_many() && is_further => {
                    named.refused.push((recipient.clone(), RecipientReply::Later(answer.words().to_owned())));
                }
                Err(answer) => named.refused.push((recipient.clone(), answer.reply())),
            }
        }
        if self.broken {
            let broke = RecipientReply::Later("The connection broke before the content was sent.".into());
            let lost = named.accepted.drain(..).chain(named.left.drain(..).map(|(recipient, _)| recipient.clone()));
            named.refused.extend(lost.map(|recipient| (recipient, broke.clone())));
        }
        named
    }

    /// Sends the content; the reply is that of every recipient that was accepted.
    async fn content(&mut self, mut content: ContentParts, marker: &Marker) -> Result<RecipientReply, StoreError> {
        let first = match content.next().await {
            Ok(first) => marker.begin().await.map(|()| first),
            Err(error) => Err(error),
        };
        let first = match first {
            Ok(first) => first.unwrap_or_default(),
            Err(error) => {
                self.take_back().await;
                return Err(error);
            }
        };
        waits_for(|| "the server to take the mail's content".to_owned());
        match self.command(Data).await {
            Ok(response) if response.code() == 354 => {}
            Ok(response) => {
                self.broken = true;
                return Ok(RecipientReply::Later(format!(
                    "The server answers {} to DATA where 354 was due.",
                    response.code()
                )));
            }
            Err(answer) => {
                self.take_back().await;
                return Ok(answer.reply());
            }
        }
        // Until the answer is there, the connection carries nothing else.
        self.broken = true;
        if let Err(answer) = self.write_content(first, content).await? {
            // A server may refuse the mail while it comes, and hang up: that answer holds.
            if let Some(refusal) = self.connection.refusal().await {
                return Ok(refusal.reply());
            }
            return Ok(RecipientReply::Later(format!("The content went out in part only: {}.", answer.words())));
        }
        waits_for(|| "the server's answer to the mail's content".to_owned());
        let answered = self.connection.answer_to_content().await;
        self.sent += 1;
        self.used = Instant::now();
        Ok(match answered {
            Ok(response) if response.is_done() => {
                self.broken = false;
                RecipientReply::Accepted(response.words())
            }
            Ok(response) => RecipientReply::Unknown(format!(
                "The server answers {} to the content, which says neither yes nor no.",
                response.code()
            )),
            Err(NegativeReply::Broken(words)) => {
                RecipientReply::Unknown(format!("The mail went out whole and no answer came: {words}."))
            }
            Err(answer) => {
                self.broken = answer.ends_connection();
                answer.reply()
            }
        })
    }

    /// Writes the content and the dot that ends it. Where that fails, the server has not got the dot: nothing was
    /// delivered (RFC 5321 section 4.1.1.4).
    async fn write_content(
        &mut self,
        first: Vec<u8>,
        mut content: ContentParts,
    ) -> Result<Result<(), NegativeReply>, StoreError> {
        let (mut lines, mut part) = (Lines::of_smtp(), first);
        loop {
            let mut bytes = lines.of(&part);
            let next = content.next().await?;
            if next.is_none() {
                bytes.extend_from_slice(lines.last_dot());
            }
            if let Err(answer) = self.connection.write(&bytes).await {
                return Ok(Err(answer));
            }
            match next {
                Some(next) => part = next,
                None => return Ok(Ok(())),
            }
        }
    }
}
