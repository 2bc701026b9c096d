//! The entries of a communication as bytes: numbers and texts one after the other, without names.

use super::{pack, push_number, take_number, unpack};
use crate::store::StoreError;
use postigo_model::communication::{CommunicationRecord, LogEntry, Priority};
use postigo_model::plan_version::ChainTrace;

/// Bytes that the entries of one communication have, written out, at most. A communication keeps 2,000 entries with
/// 512 KiB of sentences, and the keys beside them.
const LARGEST: usize = 8 << 20;

/// What is wrong with entries that this version did not write.
const ODD: &str = "its entries are not written as this version of Postigo writes them.";

/// The entries of a communication, packed, and what they leave out.
pub fn pack_entries(record: &CommunicationRecord) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(256);
    push_number(&mut bytes, record.entries.len() as u64);
    let mut before = record.started_at;
    for entry in &record.entries {
        push_number(&mut bytes, zigzag(entry.at.wrapping_sub(before)));
        before = entry.at;
        bytes.push(entry.priority as u8);
        push_text(&mut bytes, &entry.key);
        push_text(&mut bytes, &entry.value);
    }
    if let Some(chain) = &record.chain {
        push_number(&mut bytes, chain.first as u64);
        push_number(&mut bytes, chain.ran as u64);
        push_number(&mut bytes, chain.told.len() as u64);
        let mut before = 0;
        for place in &chain.told {
            push_number(&mut bytes, place.wrapping_sub(before) as u64);
            before = *place;
        }
    }
    pack(&bytes)
}

/// Reads them into the communication, which has its start already. `plan` is the number that stands beside them.
pub fn unpack_entries(record: &mut CommunicationRecord, packed: &[u8], plan: Option<i64>) -> Result<(), StoreError> {
    let bytes = unpack("communication", packed, LARGEST)?;
    let odd = || StoreError::Corrupt { what: "communication", reason: ODD.to_owned() };
    let mut rest = bytes.as_slice();
    let count = take_number(&mut rest).ok_or_else(odd)?;
    let mut at = record.started_at;
    let mut entries = Vec::new();
    for _ in 0..count {
        let entry = take_entry(&mut rest, at).ok_or_else(odd)?;
        at = entry.at;
        entries.push(entry);
    }
    record.entries = entries;
    record.chain = match plan {
        Some(plan) => Some(take_chain(&mut rest, plan).ok_or_else(odd)?),
        None => None,
    };
    Ok(())
}

fn take_entry(rest: &mut &[u8], before: i64) -> Option<LogEntry> {
    let at = before.wrapping_add(unzigzag(take_number(rest)?));
    let (priority, behind) = rest.split_first()?;
    *rest = behind;
    let priority = match priority {
        0 => Priority::Debug,
        1 => Priority::Info,
        2 => Priority::Notice,
        3 => Priority::Warning,
        4 => Priority::Error,
        _ => return None,
    };
    Some(LogEntry { at, priority, key: take_text(rest)?, value: take_text(rest)? })
}

fn take_chain(rest: &mut &[u8], plan: i64) -> Option<ChainTrace> {
    let mut next = || usize::try_from(take_number(rest)?).ok();
    let (first, ran, count) = (next()?, next()?, next()?);
    let (mut told, mut place) = (Vec::new(), 0_usize);
    for _ in 0..count {
        place = place.checked_add(next()?)?;
        told.push(place);
    }
    Some(ChainTrace { plan, first, ran, told })
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    push_number(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(take_number(rest)?).ok()?;
    let (text, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(std::str::from_utf8(text).ok()?.to_owned())
}

/// Small numbers of either sign as small numbers.
fn zigzag(number: i64) -> u64 {
    (number.wrapping_shl(1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(at: i64, priority: Priority, value: &str) -> LogEntry {
        LogEntry { at, priority, key: "filter:a".into(), value: value.into() }
    }

    #[test]
    fn entries_and_what_they_leave_out_come_back() {
        let chain = ChainTrace { plan: 77, first: 1, ran: 500, told: vec![3, 4, 499] };
        let entries = vec![
            entry(1_800_000_000_000, Priority::Debug, ""),
            entry(1_700_000_000_000, Priority::Error, "Gödel \u{fffd}"),
            entry(i64::MIN, Priority::Warning, "x"),
            entry(i64::MAX, Priority::Notice, "x"),
        ];
        let record =
            CommunicationRecord { started_at: 5, entries, chain: Some(chain), ..CommunicationRecord::default() };
        let packed = pack_entries(&record).unwrap();
        let mut read = CommunicationRecord { started_at: 5, ..CommunicationRecord::default() };
        unpack_entries(&mut read, &packed, Some(77)).unwrap();
        assert_eq!(read, record);
        unpack_entries(&mut read, &packed, None).unwrap();
        assert_eq!((read.entries, read.chain), (record.entries, None));
    }

    #[test]
    fn a_number_of_entries_that_are_not_there_is_refused() {
        let mut bytes = Vec::new();
        push_number(&mut bytes, u64::MAX);
        let packed = pack(&bytes).unwrap();
        let told = unpack_entries(&mut CommunicationRecord::default(), &packed, None).unwrap_err().to_string();
        assert!(told.starts_with("A stored communication cannot be read: "), "{told}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), plan in any::<Option<i64>>()) {
            let packed = pack(&bytes).unwrap();
            let _ = unpack_entries(&mut CommunicationRecord::default(), &packed, plan);
        }
    }
}
