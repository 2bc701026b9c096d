//! Rows that are many and alike, packed: a byte that says how, the number of bytes written out, and those bytes compressed
//! over a dictionary of what such rows usually say. What `dictionary_1.txt` has can never change, since rows were packed over
//! it: a better one is another file, and another first byte.

mod entries;
mod results;

pub use entries::{pack_entries, unpack_entries};
pub use results::{StoredResult, pack_result, unpack_result};

use super::StoreError;
use std::cell::RefCell;
use std::sync::LazyLock;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

/// The bytes stand as they are.
const PLAIN: u8 = 0;
/// Compressed by zstd over the first dictionary.
const FIRST_DICTIONARY: u8 = 1;

const DICTIONARY: &[u8] = include_bytes!("dictionary_1.txt");
/// How hard zstd tries: more takes longer and gains nothing worth having on a few hundred bytes.
const LEVEL: i32 = 6;

static PACKING: LazyLock<EncoderDictionary<'static>> = LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static UNPACKING: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// Packs bytes.
pub fn pack(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    let compressed = COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some(compressor) => compressor,
            None => kept.insert(Compressor::with_prepared_dictionary(&PACKING)?),
        };
        compressor.compress(bytes)
    });
    let compressed = compressed.map_err(|error| corrupt("row", format!("it could not be packed: {error}")))?;
    let (how, content) =
        if compressed.len() < bytes.len() { (FIRST_DICTIONARY, compressed.as_slice()) } else { (PLAIN, bytes) };
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
        FIRST_DICTIONARY => usize::try_from(take_number(&mut rest)?).ok(),
        _ => None,
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
    let unpacked = Decompressor::with_prepared_dictionary(&UNPACKING)
        .and_then(|mut decompressor| decompressor.decompress(rest, length))
        .map_err(|error| corrupt(what, format!("it cannot be unpacked: {error}.")))?;
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
        let mut lying = vec![FIRST_DICTIONARY];
        push_number(&mut lying, 10);
        let mut rest = &packed[1..];
        take_number(&mut rest).unwrap();
        lying.extend_from_slice(rest);
        assert!(unpack("row", &lying, MOST).is_err());
        assert!(unpack("row", &[9, 1, 2], MOST).is_err());
        assert!(unpack("row", &[], MOST).is_err());
    }

    #[test]
    fn the_first_dictionary_is_as_it_was_when_rows_were_packed_over_it() {
        use sha2::{Digest, Sha256};
        let digest = postigo_model::hexadecimal::hexadecimal(&Sha256::digest(DICTIONARY));
        assert_eq!(digest, DIGEST, "rows can only be read over the very bytes: make another dictionary beside it");
    }

    const DIGEST: &str = "5670e7a95540ee57e33460c60c8c4cac7d68d99a21c67f01f1b1e8512cd4a17b";

    proptest! {
        #[test]
        fn what_was_packed_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert_eq!(unpack("row", &pack(&bytes).unwrap(), MOST).unwrap(), bytes);
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
