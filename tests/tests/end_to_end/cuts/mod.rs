//! Connections that are cut, end on one side, come late or fall silent: at every command boundary and at random bytes,
//! in both directions. Nothing is lost, and nothing is doubled.
//!
//! In full by `make proof` (`POSTIGO_PROOF=full`), else a sample of it. The places are drawn by a fixed seed.

mod fetching;
mod listening;
mod sending;

use postigo_tests::draw::Draw;
use postigo_tests::gate::{Gate, is_full};
use postigo_tests::mails::{large_mail, mail, subject};
use postigo_tests::proxy::{Disturbance, Harm, Place, Proxy, Side};
use std::time::Duration;

/// A harm must have come by then, if it comes at all.
const HARMED: Duration = Duration::from_secs(20);
/// So many cases are looked at side by side.
const LANES: usize = 4;
/// So many random bytes of each side.
const BYTES: u64 = 200;
/// So many cases of all are sampled.
const SAMPLE: usize = 28;
/// So many mails are under way in each case.
const MAILS: usize = 3;

/// Where a session such as the one that just passed is disturbed, and how.
fn disturbances(proxy: &Proxy, seed: u64) -> Vec<Disturbance> {
    let harms = [Harm::Cut, Harm::Silence, Harm::HalfClose, Harm::Delay(Duration::from_millis(300))];
    let mut draw = Draw(seed);
    let mut all = Vec::new();
    for side in [Side::Client, Side::Server] {
        let passed = proxy.passed(side);
        assert!(passed.lines > 1, "{side:?} said something: {passed:?}");
        let boundaries = (0..=passed.lines).map(Place::Line);
        all.extend(boundaries.flat_map(|place| harms.map(|harm| Disturbance { side, place, harm })));
        for number in 0..BYTES {
            let place = Place::Byte(draw.below(passed.bytes));
            let harm = harms[usize::try_from(number).expect("small") % harms.len()];
            all.push(Disturbance { side, place, harm });
        }
    }
    if is_full() { all } else { draw.some(all, SAMPLE) }
}

/// The mails of a case: a plain one, one that nothing but the server's key tells from others, one with lines that begin
/// with dots.
fn mails(case: usize) -> [Vec<u8>; MAILS] {
    let first = case * MAILS;
    let bare = String::from_utf8(mail(first + 1)).expect("ASCII");
    let bare: String = bare
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("Message-ID") && !line.starts_with("Received"))
        .collect();
    let mut dotted = large_mail(first + 2, 3_000);
    dotted.extend_from_slice(b".\r\n..\r\n.end\r\n");
    [mail(first), bare.into_bytes(), dotted]
}

/// Of a mail that a mail server passed on, the body is unchanged, and the headers are longer.
fn is_same_body(filed: &[u8], sent: &[u8]) -> bool {
    let body = sent.windows(4).position(|window| window == b"\r\n\r\n").map_or(sent, |place| &sent[place..]);
    filed.ends_with(body)
}

/// All mails of so many cases are filed once, and nothing else is; `is_same` compares what was filed with what was
/// sent. The first case was not disturbed.
fn assert_filed_once(gate: &Gate, cases: usize, disturbances: &[Disturbance], is_same: fn(&[u8], &[u8]) -> bool) {
    let titles = gate.titles();
    let raws: Vec<Vec<u8>> = (1..=titles.len())
        .map(|article| gate.try_run(["article", "show", &article.to_string(), "--raw"]).stdout)
        .collect();
    for case in 0..cases {
        let disturbance =
            case.checked_sub(1).and_then(|index| disturbances.get(index)).map_or("nothing".into(), ToString::to_string);
        for sent in mails(case) {
            let times = raws.iter().filter(|filed| is_same(filed, &sent)).count();
            assert_eq!(times, 1, "case {case}, {disturbance}: filed {times} times: {}", String::from_utf8_lossy(&sent));
        }
    }
    assert_eq!(titles, (0..cases * MAILS).map(subject).collect::<Vec<_>>());
}
