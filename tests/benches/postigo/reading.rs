//! The worst mails of 32 MiB, one of each kind, read whole: how long beside copying their bytes once, and in how much
//! memory.

use super::report::{line, median, once, section};
use postigo_tests::worst_mails::{KINDS, read};
use std::hint::black_box;

const SIZE: usize = 32 << 20;

pub fn run() {
    section("The worst mails of 32 MiB, read whole, beside copying their bytes");
    let bytes = vec![b'x'; SIZE];
    let mut copy = vec![0; SIZE];
    let copying = median(9, 1, || black_box(&mut copy).copy_from_slice(black_box(&bytes)));
    for (kind, make) in KINDS {
        let raw = make(SIZE);
        let (took, _) = once(|| black_box(read(raw.clone())));
        let length = raw.len() as f64;
        let counted = allocation_counter::measure(|| {
            black_box(read(raw));
        });
        let ratio = took.as_secs_f64() / copying.as_secs_f64();
        let memory = 1.0 + counted.bytes_max as f64 / length;
        line(
            kind,
            &format!("{ratio:.0} × copying"),
            "–",
            &format!("{} ms, {memory:.1} times its bytes in memory", took.as_millis()),
        );
    }
}
