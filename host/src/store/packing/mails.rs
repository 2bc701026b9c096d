//! A mail's bytes as they came in, and what its article says, over a dictionary of what mails say, or over the mail itself: a
//! text, and JSON of the rest without what is empty.

use super::over_mail::{pack_over_mail, unpack_over_mail};
use super::{Dictionary, pack_over, push_number, take_number, unpack};
use crate::store::StoreError;
use postigo_model::ticket::NewArticle;
use serde_json::Value;

/// Mails of more bytes are kept as they came: most of them is a file that is packed already.
pub const LARGEST_MAIL: usize = 256 << 10;
/// Bytes of an article, written out, at most.
const LARGEST_ARTICLE: usize = 16 << 20;

/// Packs a mail, where it has no more than [`LARGEST_MAIL`] bytes.
pub fn pack_mail(raw: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    if raw.len() > LARGEST_MAIL {
        return Ok(None);
    }
    pack_over(raw, Dictionary::Mail).map(Some)
}

/// The bytes as they came in.
pub fn unpack_mail(packed: &[u8]) -> Result<Vec<u8>, StoreError> {
    unpack("mail", packed, LARGEST_MAIL)
}

/// Packs an article; none where it is too long for that.
pub fn pack_article(article: &NewArticle) -> Result<Option<Vec<u8>>, StoreError> {
    let bytes = written(article)?;
    bytes.map(|bytes| pack_over(&bytes, Dictionary::Mail)).transpose()
}

/// Packs an article over the bytes of the mail that it was filed from; none where it is too long, or not worth it.
pub fn pack_article_over(article: &NewArticle, mail: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    match written(article)? {
        Some(bytes) if mail.len() <= LARGEST_MAIL => pack_over_mail(&bytes, mail),
        _ => Ok(None),
    }
}

/// An article written out; none where it is too long to be packed.
fn written(article: &NewArticle) -> Result<Option<Vec<u8>>, StoreError> {
    let corrupt = |error: serde_json::Error| StoreError::Corrupt { what: "article", reason: error.to_string() };
    let mut document = serde_json::to_value(article).map_err(corrupt)?;
    if let Some(fields) = document.as_object_mut() {
        // What is left out is read as it is by default.
        fields.remove("body");
        fields.retain(|_, value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(values) => !values.is_empty(),
            Value::Object(values) => !values.is_empty(),
            _ => true,
        });
    }
    let mut bytes = Vec::with_capacity(article.body.len() + 512);
    push_number(&mut bytes, article.body.len() as u64);
    bytes.extend_from_slice(article.body.as_bytes());
    serde_json::to_writer(&mut bytes, &document).map_err(corrupt)?;
    Ok((bytes.len() <= LARGEST_ARTICLE).then_some(bytes))
}

/// Reads a packed article.
pub fn unpack_article(packed: &[u8]) -> Result<NewArticle, StoreError> {
    read(&unpack("article", packed, LARGEST_ARTICLE)?)
}

/// Reads one that was packed over these bytes of its mail.
pub fn unpack_article_over(packed: &[u8], mail: &[u8]) -> Result<NewArticle, StoreError> {
    read(&unpack_over_mail(packed, mail, LARGEST_ARTICLE)?)
}

fn read(bytes: &[u8]) -> Result<NewArticle, StoreError> {
    let corrupt = |reason: String| StoreError::Corrupt { what: "article", reason };
    let odd = || corrupt("it is not written as this version of Postigo writes articles.".to_owned());
    let mut rest = bytes;
    let length = take_number(&mut rest).and_then(|length| usize::try_from(length).ok()).ok_or_else(odd)?;
    let (body, rest) = rest.split_at_checked(length).ok_or_else(odd)?;
    let body = std::str::from_utf8(body).map_err(|_| odd())?.to_owned();
    let article: NewArticle = serde_json::from_slice(rest).map_err(|error| corrupt(error.to_string()))?;
    Ok(NewArticle { body, ..article })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::packing::unpacked_length;
    use postigo_model::ticket::{ArticleAttachment, SenderType};
    use proptest::prelude::*;

    #[test]
    fn an_article_comes_back_whatever_it_has_and_lacks() {
        let whole = NewArticle {
            sender_type: SenderType::System,
            visible_for_customer: true,
            from: "\"Jürgen\" <j@x.test>".into(),
            to: "desk@x.test".into(),
            cc: "c@x.test".into(),
            reply_to: "r@x.test".into(),
            subject: "A \"subject\"".into(),
            message_id: "<1@x.test>".into(),
            in_reply_to: "<0@x.test>".into(),
            references: "<a@x.test> <0@x.test>".into(),
            date: Some(0),
            body: "Line\n\u{0}{\"body\":1}".into(),
            body_truncated: true,
            attachments: vec![ArticleAttachment { name: String::new(), media_type: "text/plain".into(), size: 0 }],
            dynamic_fields: [("A".to_owned(), Vec::new())].into(),
            unvouched: true,
            vouched_by_address: true,
        };
        for article in [whole, NewArticle::default()] {
            assert_eq!(unpack_article(&pack_article(&article).unwrap().unwrap()).unwrap(), article);
            let packed = pack_article_over(&article, b"Subject: A mail\r\n").unwrap().unwrap();
            assert_eq!(unpack_article_over(&packed, b"Subject: A mail\r\n").unwrap(), article);
        }
    }

    #[test]
    fn a_mail_takes_about_half_and_one_that_is_too_large_is_left_as_it_is() {
        let mail = b"Return-Path: <jane@customer.test>\r\nReceived: from mx.customer.test (mx.customer.test [192.0.2.7])\r\n\tby mail.desk.test (Postfix) with ESMTPS id 4Xyz; Tue, 24 Nov 2026 10:00:00 +0000\r\nFrom: Jane <jane@customer.test>\r\nTo: desk@desk.test\r\nSubject: The pump\r\nMessage-ID: <1@customer.test>\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe pump has stopped again.\r\n";
        let packed = pack_mail(mail).unwrap().unwrap();
        assert!(packed.len() * 2 < mail.len(), "{} of {}", packed.len(), mail.len());
        assert_eq!(unpack_mail(&packed).unwrap(), mail);
        assert!(pack_mail(&vec![b'x'; LARGEST_MAIL]).unwrap().is_some());
        assert_eq!(pack_mail(&vec![b'x'; LARGEST_MAIL + 1]).unwrap(), None);
    }

    proptest! {
        #[test]
        fn any_mail_comes_back(raw in proptest::collection::vec(any::<u8>(), 0..3_000)) {
            let packed = pack_mail(&raw).unwrap().unwrap();
            prop_assert_eq!(unpacked_length(&packed), Some(raw.len()));
            prop_assert_eq!(unpack_mail(&packed).unwrap(), raw);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpack_article(&bytes);
            let _ = unpack_article(&pack_over(&bytes, Dictionary::Mail).unwrap());
        }
    }
}
