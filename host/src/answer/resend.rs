//! Sending a received mail on to somebody else as it is (OTOBO: bounce; RFC 5322 section 3.6.6): its bytes are not
//! changed, `Resent-*` headers come before them.

use super::addressee::Addressee;
use super::compose::{ComposedMail, new_message_id, with_crlf};
use super::desk::{Desk, about, raw};
use super::letter::by_agent;
use super::writing::{AgentText, DeskError, MistakeList, SendResult};
use crate::store::outgoing::SendableMail;
use bytes::Bytes;
use lettre::message::Mailboxes;
use lettre::message::header::{self, Headers};
use postigo_mail::render_addresses;
use postigo_model::outgoing::OutgoingKind;
use postigo_model::ticket::NewArticle;
use postigo_model::timestamp::now;
use std::time::{Duration, UNIX_EPOCH};

impl Desk {
    /// Sends an article's mail on. Of `writing` only the recipients and the name of the request count.
    pub async fn resend(&self, id: i64, writing: AgentText) -> SendResult {
        if let Some(receipt) = self.before(writing.once.as_ref()).await? {
            return Ok(receipt);
        }
        let (article, open) = self.open_article(id).await?;
        let now = now();
        let mut mistakes = MistakeList::default();
        let to = mistakes.addressees("to", writing.to.as_deref().unwrap_or_default(), &self.configuration);
        if writing.to.as_ref().is_none_or(Vec::is_empty) {
            mistakes.add("to", "There is no address to send it on to: name one.");
        }
        mistakes.limits(to.len(), &writing);
        mistakes.tell()?;
        let (queue, from) = self.sender(&open.ticket.queue)?;
        let raw = raw(&self.spool, &article).await?;
        let raw = raw.ok_or_else(|| {
            DeskError::Conflict(format!("Article {id} is a note: there is no mail to send on. Nothing was sent."))
        })?;

        let shown: Vec<_> = to.iter().map(|addressee| addressee.shown.clone()).collect();
        let mut sent = NewArticle {
            from: render_addresses(std::slice::from_ref(&from.shown)),
            to: render_addresses(&shown),
            subject: article.content.subject.clone(),
            date: Some(now.div_euclid(1_000) * 1_000),
            body: format!("The mail of article {id} was sent on unchanged to {}.\n", render_addresses(&shown)),
            ..NewArticle::default()
        };
        by_agent(&mut sent, false);
        let composed = SendableMail {
            sender: from.wire.clone(),
            queue: queue.name.clone(),
            recipients: to.iter().map(|addressee| addressee.wire.clone()).collect(),
            // Delivery reports name the mail by its own id.
            message_id: article.content.message_id.clone(),
            raw: resent(&raw.into(), &from, &to, now),
            not_before: 0,
            subject: article.content.subject.clone(),
            response: None,
        };
        let mail = ComposedMail { outgoing: composed, article: sent };
        self.put_down(about(&article, OutgoingKind::Bounce, mail, writing.once, now)).await
    }
}

/// The headers of its resending, and the mail, which is not copied unless its line ends have to be mended.
fn resent(raw: &Bytes, from: &Addressee, to: &[Addressee], now: i64) -> Vec<Bytes> {
    let mailboxes: Mailboxes = to.iter().map(Addressee::mailbox).collect();
    let date = UNIX_EPOCH + Duration::from_millis(u64::try_from(now).unwrap_or_default());
    let mut headers = Headers::new();
    headers.set(header::Date::new(date));
    headers.set(header::From::from(Mailboxes::from(from.mailbox())));
    headers.set(header::To::from(mailboxes));
    headers.set(header::MessageId::from(new_message_id(from.domain())));
    let mut resent = Vec::new();
    for line in headers.to_string().split_inclusive("\r\n") {
        if !line.starts_with([' ', '\t']) {
            resent.extend_from_slice(b"Resent-");
        }
        resent.extend_from_slice(line.as_bytes());
    }
    let mail = without_delivery_lines(raw);
    let ends_well = memchr::memchr_iter(b'\n', mail).all(|place| place > 0 && mail.get(place - 1) == Some(&b'\r'));
    vec![resent.into(), if ends_well { raw.slice_ref(mail) } else { with_crlf(mail).into() }]
}

/// A mail without what its last delivery put before it: the line of an mbox, and Return-Path, which a mail that is sent
/// must not have (RFC 5321 section 4.4).
fn without_delivery_lines(raw: &[u8]) -> &[u8] {
    let mut rest = raw;
    loop {
        let name = rest.get(..12).unwrap_or_default().to_ascii_lowercase();
        if !(name == b"return-path:" || rest.starts_with(b"From ") || rest.starts_with(b">From ")) {
            return rest;
        }
        loop {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            rest = rest.get(end..).unwrap_or_default();
            if !rest.starts_with(b" ") && !rest.starts_with(b"\t") {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mail_follows_its_new_headers_unchanged() {
        let from = Addressee::parse("Bücher <help@bücher.example>").unwrap();
        let to = [Addressee::parse("\"A, B\" <a@x.test>").unwrap(), Addressee::parse("b@x.test").unwrap()];
        let original = "Subject: =?utf-8?q?x?=\r\nBcc: c@x.test\r\n\r\nbödy".as_bytes();
        for before in ["", "Return-Path:\r\n <jane@x.test>\r\n", "From jane Mon Nov 23 2026\r\nReturn-path: <>\r\n"] {
            let raw = resent(&[before.as_bytes(), original].concat().into(), &from, &to, 1_795_521_600_000).concat();
            let head = raw.strip_suffix(original).map(|head| String::from_utf8(head.to_vec()).unwrap()).unwrap();
            let names: Vec<&str> = head.lines().filter_map(|line| line.split(':').next()).collect();
            assert_eq!(names, ["Resent-Date", "Resent-From", "Resent-To", "Resent-Message-ID"], "{head}");
            assert!(head.contains(" <a@x.test>, b@x.test\r\n"), "{head}");
            assert!(head.contains("<help@xn--bcher-kva.example>"), "{head}");
        }
        assert_eq!(with_crlf(b"a\nb\r\nc"), b"a\r\nb\r\nc");
    }
}
