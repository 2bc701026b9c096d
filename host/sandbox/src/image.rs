//! Whether the memory of a snapshot is mapped for each message, as it is by wasmtime where that is cheap, or copied.

use std::collections::HashMap;
use std::ops::Range;
use wasmparser::{Data, DataKind, Encoding, Operator, Parser, Payload};

/// Bytes up to which wasmtime maps a memory, however empty it is (`memory_guaranteed_dense_image_size`).
pub(super) const MAPPED: u64 = 16 << 20;

/// Whether a message pays for the bytes of the memory: it is larger than what is always mapped, and more than half
/// empty. Of what cannot be read it is not said.
pub(super) fn is_copied(snapshot: &[u8]) -> bool {
    let mut memories: HashMap<u32, (Range<u64>, u64)> = HashMap::new();
    let sparse = |memories: &HashMap<u32, (Range<u64>, u64)>| {
        memories.values().any(|(range, data)| {
            let image = range.end.saturating_sub(range.start);
            image >= MAPPED && image >= data.saturating_mul(2)
        })
    };
    for payload in Parser::new(0).parse_all(snapshot).map_while(Result::ok) {
        match payload {
            // Each module has memories of its own.
            Payload::Version { encoding: Encoding::Module, .. } => {
                if sparse(&memories) {
                    return true;
                }
                memories.clear();
            }
            Payload::DataSection(section) => {
                for (memory, at, length) in section.into_iter().map_while(Result::ok).filter_map(place) {
                    let (range, data) = memories.entry(memory).or_insert((at..at, 0));
                    *range = range.start.min(at)..range.end.max(at.saturating_add(length));
                    *data += length;
                }
            }
            _ => {}
        }
    }
    sparse(&memories)
}

/// Where a segment of data lies: its memory, address and length; none where it is not put anywhere by itself.
fn place(data: Data<'_>) -> Option<(u32, u64, u64)> {
    let DataKind::Active { memory_index, offset_expr } = data.kind else { return None };
    let address = match offset_expr.get_operators_reader().read().ok()? {
        Operator::I32Const { value } => u64::from(value.cast_unsigned()),
        Operator::I64Const { value } => value.cast_unsigned(),
        _ => return None,
    };
    Some((memory_index, address, data.data.len() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component whose memory of 64 MiB has so many bytes at each of these places.
    fn with(segments: &[(u32, usize)]) -> Vec<u8> {
        let data: String = segments
            .iter()
            .map(|(at, length)| format!("(data (i32.const {at}) \"{}\")", "x".repeat(*length)))
            .collect();
        wat::parse_str(format!("(component (core module (memory 1024) {data}) (core module (memory 1)))")).unwrap()
    }

    #[test]
    fn a_large_memory_that_is_mostly_empty_is_copied_for_each_message() {
        let far = 40 << 20;
        assert!(is_copied(&with(&[(0, 10), (far, 10)])));
        assert!(!is_copied(&with(&[(0, 10), (15 << 20, 10)])), "small");
        assert!(!is_copied(&with(&[(0, 21 << 20), (far, 10)])), "more than half full");
        assert!(!is_copied(&with(&[(far, 10)])), "what stands before the first byte is no part of it");
        assert!(!is_copied(b"no WebAssembly"));
    }
}
