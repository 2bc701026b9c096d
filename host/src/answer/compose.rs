//! A mail's bytes: headers and MIME by lettre's builder, from parts that are checked here.
//!
//! No value makes a header of its own: subjects and names lose their line breaks, addresses are checked, Message-IDs
//! are taken apart and put together again. Lines end with CRLF and are at most 998 bytes long (RFC 5322 section 2.1.1).

use super::addressee::Addressee;
use crate::store::outgoing;
use lettre::message::header::{ContentDisposition, ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, MultiPart, SinglePart};
use postigo_mail::{message_ids, render_addresses};
use postigo_model::mailbox::Mailbox;
use postigo_model::text::on_one_line;
use postigo_model::ticket::{ArticleAttachment, NewArticle, beginning_of};
use std::time::{Duration, UNIX_EPOCH};

/// So many Message-IDs are named in References: the first, and the latest.
const MOST_REFERENCES: usize = 30;
/// A longer Message-ID is not repeated.
const LONGEST_ID: usize = 250;
/// The longest line of a mail, without CRLF (RFC 5322 section 2.1.1).
const LONGEST_LINE: usize = 998;

/// What a mail is made of.
#[derive(Debug, Clone)]
pub struct MailDraft {
    /// The system address with its display name.
    pub from: Addressee,
    /// To.
    pub to: Vec<Addressee>,
    /// Cc.
    pub cc: Vec<Addressee>,
    /// Recipients that no header names.
    pub bcc: Vec<Addressee>,
    /// Decoded.
    pub subject: String,
    /// The Message-ID that is answered; empty: none.
    pub in_reply_to: String,
    /// The References of what is answered, as they were.
    pub references: String,
    /// An automatic answer (RFC 3834): it says so, and its envelope sender is the null one.
    pub automatic: bool,
    /// The text, with LF line ends.
    pub text: String,
    /// The same as HTML.
    pub html: Option<String>,
    /// Files.
    pub files: Vec<AttachedFile>,
    /// The queue that it is sent from.
    pub queue: String,
    /// Milliseconds since the epoch.
    pub now: i64,
}

/// A file that goes along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedFile {
    /// Its name.
    pub name: String,
    /// Its media type; what is none becomes application/octet-stream.
    pub media_type: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// A mail that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// It goes to nobody.
    #[error("The mail has no recipient: name at least one address.")]
    NoRecipient,
    /// The builder refused.
    #[error("The mail could not be put together: {0}")]
    Builder(#[from] lettre::error::Error),
}

/// A mail, for the queue, and the article that it is in its ticket.
#[derive(Debug, Clone)]
pub struct ComposedMail {
    /// What goes out.
    pub outgoing: outgoing::SendableMail,
    /// What the ticket shows; sender type and visibility are for the caller to say.
    pub article: NewArticle,
}

/// Puts a mail together, under a Message-ID that nobody can guess.
pub fn compose(draft: MailDraft) -> Result<ComposedMail, ComposeError> {
    let recipients = recipients(&draft);
    let first = recipients.first().ok_or(ComposeError::NoRecipient)?;
    let message_id = new_message_id(draft.from.domain());
    let references = references(&draft.references, &draft.in_reply_to);
    let in_reply_to =
        message_ids(&draft.in_reply_to).next().filter(|id| is_repeatable(id)).unwrap_or_default().to_owned();
    let subject = on_one_line(&draft.subject);

    // The envelope is the queue's business; lettre wants one all the same.
    let envelope = lettre::address::Envelope::new(None, vec![first.mailbox().email])?;
    let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(draft.now).unwrap_or_default());
    let mut builder = lettre::Message::builder().envelope(envelope).date(at).from(draft.from.mailbox());
    for to in &draft.to {
        builder = builder.to(to.mailbox());
    }
    for cc in &draft.cc {
        builder = builder.cc(cc.mailbox());
    }
    builder = builder.subject(subject.clone()).message_id(Some(message_id.clone()));
    if !in_reply_to.is_empty() {
        builder = builder.in_reply_to(in_reply_to.clone());
    }
    if !references.is_empty() {
        builder = builder.references(references.clone());
    }
    if draft.automatic {
        builder = builder.raw_header(header("Auto-Submitted", "auto-replied"));
        builder = builder.raw_header(header("Precedence", "bulk"));
        builder = builder.raw_header(header("X-Auto-Response-Suppress", "All"));
    }
    builder = builder.raw_header(header("X-Powered-By", "Postigo"));

    let (body, body_truncated) = beginning_of(&draft.text);
    let article = NewArticle {
        from: render_addresses(std::slice::from_ref(&draft.from.shown)),
        to: rendered(&draft.to),
        cc: rendered(&draft.cc),
        subject,
        message_id: message_id.clone(),
        in_reply_to,
        references,
        date: Some(draft.now.div_euclid(1_000) * 1_000),
        body,
        body_truncated,
        attachments: draft.files.iter().map(describe).collect(),
        ..NewArticle::default()
    };
    let sender = if draft.automatic { String::new() } else { draft.from.wire.clone() };
    let recipients = recipients.into_iter().map(|recipient| recipient.wire.clone()).collect();
    let queue = draft.queue.clone();
    let message = match content(draft) {
        MailContent::Single(part) => builder.singlepart(part)?,
        MailContent::Multi(part) => builder.multipart(part)?,
    };
    Ok(ComposedMail {
        outgoing: outgoing::SendableMail {
            sender,
            queue,
            recipients,
            message_id,
            raw: vec![message.formatted().into()],
            not_before: 0,
            subject: article.subject.clone(),
            response: None,
        },
        article,
    })
}

/// A new Message-ID, with its angle brackets.
pub fn new_message_id(domain: &str) -> String {
    format!("<{}@{domain}>", uuid::Uuid::now_v7().simple())
}

/// Every recipient once.
fn recipients(draft: &MailDraft) -> Vec<&Addressee> {
    let mut recipients: Vec<&Addressee> = Vec::new();
    for addressee in draft.to.iter().chain(&draft.cc).chain(&draft.bcc) {
        if !recipients.iter().any(|known| Mailbox::of(&known.wire) == Mailbox::of(&addressee.wire)) {
            recipients.push(addressee);
        }
    }
    recipients
}

fn rendered(addressees: &[Addressee]) -> String {
    render_addresses(&addressees.iter().map(|addressee| addressee.shown.clone()).collect::<Vec<_>>())
}

fn describe(file: &AttachedFile) -> ArticleAttachment {
    ArticleAttachment { name: file.name.clone(), media_type: media_type(file).0, size: file.content.len() as u64 }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn is_repeatable(id: &str) -> bool {
    id.len() <= LONGEST_ID && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The References of an answer (RFC 5322 section 3.6.4): those before, then what is answered.
fn references(before: &str, answered: &str) -> String {
    let mut ids: Vec<&str> =
        message_ids(before).chain(message_ids(answered).next()).filter(|id| is_repeatable(id)).collect();
    let mut seen = std::collections::HashSet::new();
    // What is named twice counts where it is named last.
    ids.reverse();
    ids.retain(|id| seen.insert(*id));
    ids.reverse();
    if ids.len() > MOST_REFERENCES {
        ids.drain(1..=ids.len() - MOST_REFERENCES);
    }
    ids.join(" ")
}

enum MailContent {
    Single(SinglePart),
    Multi(MultiPart),
}

fn content(draft: MailDraft) -> MailContent {
    let plain = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(clean_text(draft.text));
    let text = match draft.html {
        None => MailContent::Single(plain),
        Some(html) => {
            let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(clean_text(html));
            MailContent::Multi(MultiPart::alternative().singlepart(plain).singlepart(html))
        }
    };
    if draft.files.is_empty() {
        return text;
    }
    let mixed = match text {
        MailContent::Single(part) => MultiPart::mixed().singlepart(part),
        MailContent::Multi(part) => MultiPart::mixed().multipart(part),
    };
    MailContent::Multi(draft.files.into_iter().fold(mixed, |mixed, file| mixed.singlepart(part(file))))
}

/// NUL has no place in a mail; other control characters but tab and line feed show as blanks nowhere.
fn clean_text(text: String) -> String {
    if !text.contains(['\0', '\r']) {
        return text;
    }
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "")
}

/// The media type to be written, and whether it is that of a message, which must not be encoded (RFC 2046 section
/// 5.2.1).
fn media_type(file: &AttachedFile) -> (String, bool) {
    let given = file.media_type.trim().to_ascii_lowercase();
    match given.as_str() {
        "message/rfc822" if is_plain_message(&file.content) => (given, true),
        other if other.starts_with("message/") || other.starts_with("multipart/") => {
            ("application/octet-stream".to_owned(), false)
        }
        other if ContentType::parse(other).is_ok() => (given, false),
        _ => ("application/octet-stream".to_owned(), false),
    }
}

/// Whether a message can go along as it is: no NUL, no line too long, lines that end properly.
fn is_plain_message(content: &[u8]) -> bool {
    content.is_ascii()
        && !content.contains(&0)
        && content.split(|byte| *byte == b'\n').all(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            line.len() <= LONGEST_LINE && !line.contains(&b'\r')
        })
}

fn part(file: AttachedFile) -> SinglePart {
    let (media_type, as_it_is) = media_type(&file);
    let name: String = on_one_line(&file.name).replace(['/', '\\', '"'], "_").chars().take(120).collect();
    let name = if name.is_empty() { "file".to_owned() } else { name };
    let content_type = ContentType::parse(&media_type).unwrap_or(ContentType::TEXT_PLAIN);
    let builder = SinglePart::builder().header(content_type).header(ContentDisposition::attachment(&name));
    if as_it_is {
        return builder.body(Body::dangerous_pre_encoded(with_crlf(&file.content), ContentTransferEncoding::SevenBit));
    }
    // Base64 keeps every byte as it is, texts too: a file is not ours to re-encode.
    match Body::new_with_encoding(file.content, ContentTransferEncoding::Base64) {
        Ok(body) => builder.body(body),
        Err(content) => builder.body(content),
    }
}

/// Lines ended by LF alone or CRLF, with CRLF.
pub fn with_crlf(content: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(content.len() + content.len() / 32);
    let mut rest = content;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = rest.get(..end).unwrap_or_default();
        lines.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        lines.extend_from_slice(b"\r\n");
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    lines.extend_from_slice(rest);
    lines
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
