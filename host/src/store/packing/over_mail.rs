//! An article over the mail that it was filed from: nearly all that it says stands there, so that little of it is left. It
//! can be read with the mail's bytes alone, and whoever lets those go packs it by itself first.

use super::{corrupt, push_number, take_number};
use crate::store::StoreError;
use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};

/// The first byte of what is packed so.
const OVER_MAIL: u8 = 3;
/// More gains nothing: what is not in the mail is short.
const LEVEL: i32 = 1;
/// What articles say and mails do not; it can never change, as the dictionaries.
const KEYS: &[u8] = include_bytes!("article_keys.txt");

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Packs bytes over those of a mail; none where that makes them no shorter.
pub(super) fn pack_over_mail(bytes: &[u8], mail: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let compressed = COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(LEVEL)?),
        };
        compressor.set_dictionary(LEVEL, &said_before(mail))?;
        // Over other bytes it would come out as something else.
        compressor.include_checksum(true)?;
        compressor.compress(bytes)
    });
    let compressed = compressed.map_err(|error| corrupt("article", format!("it could not be packed: {error}")))?;
    if compressed.len() >= bytes.len() {
        return Ok(None);
    }
    let mut packed = Vec::with_capacity(compressed.len() + 6);
    packed.push(OVER_MAIL);
    push_number(&mut packed, bytes.len() as u64);
    packed.extend_from_slice(&compressed);
    Ok(Some(packed))
}

/// Reads what was packed over these bytes, where it has so many at most: no more memory is taken, whatever it holds.
pub(super) fn unpack_over_mail(packed: &[u8], mail: &[u8], most: usize) -> Result<Vec<u8>, StoreError> {
    let unreadable =
        || corrupt("article", "it is not packed over its mail as this version of Postigo does.".to_owned());
    let mut rest = packed.strip_prefix(&[OVER_MAIL]).ok_or_else(unreadable)?;
    let length = take_number(&mut rest).and_then(|length| usize::try_from(length).ok()).ok_or_else(unreadable)?;
    if length > most {
        return Err(corrupt("article", format!("it has {length} bytes, and {most} are the most that are read.")));
    }
    let unpacked = DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::new()?),
        };
        decompressor.set_dictionary(&said_before(mail))?;
        decompressor.decompress(rest, length)
    });
    let unpacked = unpacked.map_err(|error| corrupt("article", format!("it cannot be unpacked: {error}.")))?;
    if unpacked.len() != length {
        return Err(corrupt("article", format!("it has {} bytes, not {length} as it says.", unpacked.len())));
    }
    Ok(unpacked)
}

/// The mail with line ends as texts of articles have them, so that a paragraph is found as one; the keys stand first, lest
/// the beginning of a mail is taken for that of a dictionary in zstd's own format.
fn said_before(mail: &[u8]) -> Vec<u8> {
    let mut said = Vec::with_capacity(KEYS.len() + mail.len());
    said.extend_from_slice(KEYS);
    let mut rest = mail;
    while let Some(end) = memchr::memchr(b'\r', rest) {
        let (line, after) = rest.split_at(end);
        said.extend_from_slice(line);
        rest = after.get(1..).unwrap_or_default();
    }
    said.extend_from_slice(rest);
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAIL: &[u8] = b"From: Jane <jane@customer.test>\r\nSubject: The pump\r\n\r\nThe pump has stopped again,\r\nas it did in spring.\r\n";

    #[test]
    fn what_stands_in_the_mail_takes_a_few_bytes_and_comes_back_over_the_same_mail_alone() {
        let said = b"The pump has stopped again,\nas it did in spring.\n";
        let packed = pack_over_mail(said, MAIL).unwrap().unwrap();
        assert!(packed.len() < 25, "{} bytes", packed.len());
        assert_eq!(unpack_over_mail(&packed, MAIL, 100).unwrap(), said);
        let other = MAIL.to_ascii_uppercase();
        assert!(unpack_over_mail(&packed, &other, 100).is_err());
        assert!(unpack_over_mail(&packed, MAIL, 10).unwrap_err().to_string().contains("10 are the most"));
    }

    #[test]
    fn a_mail_that_begins_as_a_dictionary_of_zstd_is_one_like_any_other() {
        let mail = [&0xec30_a437_u32.to_le_bytes()[..], MAIL].concat();
        let packed = pack_over_mail(MAIL, &mail).unwrap().unwrap();
        assert_eq!(unpack_over_mail(&packed, &mail, 1_000).unwrap(), MAIL);
        assert!(pack_over_mail(b"x", b"").unwrap().is_none(), "it is no shorter");
    }

    #[test]
    fn the_keys_are_as_they_were_when_articles_were_packed_over_them() {
        use sha2::{Digest, Sha256};
        let digest = postigo_model::hexadecimal::hexadecimal(&Sha256::digest(KEYS));
        assert_eq!(
            digest, "63a792ea38526cd9e561171c060b82f8afb9f512bf29113d02d06ad13de5b1c9",
            "articles can only be read over the very bytes"
        );
    }

    proptest! {
        #[test]
        fn what_was_packed_over_a_mail_comes_back(
            bytes in proptest::collection::vec(any::<u8>(), 0..2_000),
            mail in proptest::collection::vec(any::<u8>(), 0..2_000),
        ) {
            for bytes in [&bytes, &mail] {
                if let Some(packed) = pack_over_mail(bytes, &mail).unwrap() {
                    prop_assert_eq!(&unpack_over_mail(&packed, &mail, 4_000).unwrap(), bytes);
                }
            }
        }

        #[test]
        fn any_bytes_over_any_mail_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 1..200)) {
            bytes[0] = OVER_MAIL;
            if let Ok(unpacked) = unpack_over_mail(&bytes, MAIL, 4_096) {
                prop_assert!(unpacked.len() <= 4_096);
            }
        }
    }
}
