//! Rows that are many and alike, packed: a byte that says how, the number of bytes written out, and those bytes compressed
//! over a dictionary of what such rows usually say. What the dictionaries have can never change, since rows were packed over
//! them: a better one is another file, and another first byte.

mod entries;
mod mails;
mod over_mail;
mod results;

pub use entries::{pack_entries, unpack_entries};
pub use mails::{
    LARGEST_MAIL, pack_article, pack_article_over, pack_mail, unpack_article, unpack_article_over, unpack_mail,
};
pub use results::{StoredResult, pack_result, unpack_result};

use super::StoreError;
use std::cell::RefCell;
use std::sync::LazyLock;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

/// The bytes stand as they are.
const PLAIN: u8 = 0;

/// What rows are packed over; the number is the first byte of such rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dictionary {
    /// What is said of a mail: results, entries.
    Sentences = 1,
    /// What mails say.
    Mail = 2,
}

impl Dictionary {
    const ALL: [Self; 2] = [Self::Sentences, Self::Mail];

    fn text(self) -> &'static [u8] {
        match self {
            Self::Sentences => include_bytes!("dictionary_1.txt"),
            Self::Mail => include_bytes!("dictionary_2.txt"),
        }
    }

    /// How hard zstd tries: more takes longer and gains nothing worth having, on a few hundred bytes, and on mails, of
    /// which there are more.
    fn level(self) -> i32 {
        match self {
            Self::Sentences => 3,
            Self::Mail => 1,
        }
    }

    fn of(how: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|dictionary| *dictionary as u8 == how)
    }

    fn place(self) -> usize {
        self as usize - 1
    }
}

static PACKING: LazyLock<[EncoderDictionary<'static>; 2]> =
    LazyLock::new(|| Dictionary::ALL.map(|one| EncoderDictionary::copy(one.text(), one.level())));
static UNPACKING: LazyLock<[DecoderDictionary<'static>; 2]> =
    LazyLock::new(|| Dictionary::ALL.map(|one| DecoderDictionary::copy(one.text())));

thread_local! {
    static COMPRESSORS: RefCell<[Option<Compressor<'static>>; 2]> = const { RefCell::new([None, None]) };
    // A list unpacks one row after the other, and would make one of these for each.
    static DECOMPRESSORS: RefCell<[Option<Decompressor<'static>>; 2]> = const { RefCell::new([None, None]) };
}

/// Packs bytes in which something is said of a mail.
pub fn pack(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    pack_over(bytes, Dictionary::Sentences)
}

fn pack_over(bytes: &[u8], dictionary: Dictionary) -> Result<Vec<u8>, StoreError> {
    let place = dictionary.place();
    let compressed = COMPRESSORS.with_borrow_mut(|kept| {
        let compressor = match &mut kept[place] {
            Some(compressor) => compressor,
            none => none.insert(Compressor::with_prepared_dictionary(&PACKING[place])?),
        };
        compressor.compress(bytes)
    });
    let compressed = compressed.map_err(|error| corrupt("row", format!("it could not be packed: {error}")))?;
    let (how, content) =
        if compressed.len() < bytes.len() { (dictionary as u8, compressed.as_slice()) } else { (PLAIN, bytes) };
    let mut packed = Vec::with_capacity(content.len() + 6);
    packed.push(how);
    if how != PLAIN {
        push_number(&mut packed, bytes.len() as u64);
    }
    packed.extend_from_slice(content);
    Ok(packed)
}

/// How many bytes a packed row has when it is written out, as it says itself; none where it cannot be read.
pub fn unpacked_length(packed: &[u8]) -> Option<usize> {
    let (how, mut rest) = packed.split_first()?;
    match *how {
        PLAIN => Some(rest.len()),
        how => Dictionary::of(how).and_then(|_| usize::try_from(take_number(&mut rest)?).ok()),
    }
}

/// Writes a packed row out, where it has so many bytes at most: no more memory is taken, whatever it holds. `what` is
/// the kind of row, for people.
pub fn unpack(what: &'static str, packed: &[u8], most: usize) -> Result<Vec<u8>, StoreError> {
    let unreadable = || corrupt(what, "it is not packed as this version of Postigo packs rows.".to_owned());
    let length = unpacked_length(packed).ok_or_else(unreadable)?;
    if length > most {
        return Err(corrupt(what, format!("it has {length} bytes, and {most} are the most that are read.")));
    }
    let (how, mut rest) = packed.split_first().ok_or_else(unreadable)?;
    if *how == PLAIN {
        return Ok(rest.to_vec());
    }
    take_number(&mut rest).ok_or_else(unreadable)?;
    let place = Dictionary::of(*how).ok_or_else(unreadable)?.place();
    let unpacked = DECOMPRESSORS.with_borrow_mut(|kept| {
        let decompressor = match &mut kept[place] {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::with_prepared_dictionary(&UNPACKING[place])?),
        };
        decompressor.decompress(rest, length)
    });
    let unpacked = unpacked.map_err(|error| corrupt(what, format!("it cannot be unpacked: {error}.")))?;
    if unpacked.len() != length {
        return Err(corrupt(what, format!("it has {} bytes, not {length} as it says.", unpacked.len())));
    }
    Ok(unpacked)
}

fn corrupt(what: &'static str, reason: String) -> StoreError {
    StoreError::Corrupt { what, reason }
}

/// Adds a number, seven bits a byte, the lowest first (LEB128).
pub(super) fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes such a number off the beginning.
pub(super) fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MOST: usize = 1 << 20;

    #[test]
    fn usual_sentences_take_a_fraction_and_odd_bytes_no_more_than_they_are() {
        let usual = b"New ticket in queue Raw (by default). Message from imap main INBOX, 1234 bytes, subject: Hello";
        let packed = pack(usual).unwrap();
        assert!(packed.len() < usual.len() * 2 / 3, "{} bytes of {}", packed.len(), usual.len());
        assert_eq!(unpack("row", &packed, MOST).unwrap(), usual);
        for bytes in [&b""[..], b"x", &[0xff, 0x00, 0x81]] {
            let packed = pack(bytes).unwrap();
            assert!(packed.len() <= bytes.len() + 1);
            assert_eq!(unpack("row", &packed, MOST).unwrap(), bytes);
        }
    }

    #[test]
    fn a_row_that_claims_or_holds_too_much_takes_no_memory() {
        let packed = pack(&vec![b'a'; MOST + 1]).unwrap();
        assert!(packed.len() < 1_000, "{}", packed.len());
        let told = unpack("row", &packed, MOST).unwrap_err().to_string();
        assert!(told.contains("1048577 bytes"), "{told}");
        // It says that it has less than it holds.
        let mut lying = vec![Dictionary::Sentences as u8];
        push_number(&mut lying, 10);
        let mut rest = &packed[1..];
        take_number(&mut rest).unwrap();
        lying.extend_from_slice(rest);
        assert!(unpack("row", &lying, MOST).is_err());
        assert!(unpack("row", &[9, 1, 2], MOST).is_err());
        assert!(unpack("row", &[], MOST).is_err());
    }

    #[test]
    fn the_dictionaries_are_as_they_were_when_rows_were_packed_over_them() {
        use sha2::{Digest, Sha256};
        let digests = Dictionary::ALL.map(|one| postigo_model::hexadecimal::hexadecimal(&Sha256::digest(one.text())));
        assert_eq!(digests, DIGESTS, "rows can only be read over the very bytes: make another dictionary beside them");
    }

    const DIGESTS: [&str; 2] = [
        "5670e7a95540ee57e33460c60c8c4cac7d68d99a21c67f01f1b1e8512cd4a17b",
        "cf7be879fb4fb4ebf221673f68eac05c64baa28480d6277400ebf1ecfd99e59f",
    ];

    proptest! {
        #[test]
        fn what_was_packed_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            for dictionary in Dictionary::ALL {
                prop_assert_eq!(unpack("row", &pack_over(&bytes, dictionary).unwrap(), MOST).unwrap(), bytes.clone());
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(unpacked) = unpack("row", &bytes, 4_096) {
                prop_assert!(unpacked.len() <= 4_096);
            }
        }

        #[test]
        fn numbers_come_back(number in any::<u64>()) {
            let mut bytes = Vec::new();
            push_number(&mut bytes, number);
            prop_assert_eq!(take_number(&mut bytes.as_slice()), Some(number));
        }
    }
}
