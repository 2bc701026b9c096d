//! Mutated reports: none panics, and what is read keeps its limits. `POSTIGO_FUZZ_CASES` says how many, 2,000 if it is
//! not set.

use super::tests::report;
use super::*;

/// xorshift64*: the same cases every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound.max(1)
    }
}

const PIECES: [&[u8]; 16] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b":",
    b";",
    b"+2B",
    b"\\x{",
    b"}",
    b"rfc822;",
    b"utf-8;",
    b"--d",
    b"Final-Recipient:",
    b"\0",
    b"\xff\xfe",
    b"=?utf-8?q?=0A?=",
];

fn mutate(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(8) {
        let place = random.below(bytes.len() + 1);
        match random.below(5) {
            0 => bytes.truncate(place),
            1 => drop(bytes.splice(place..place, PIECES[random.below(PIECES.len())].iter().copied())),
            2 => {
                let end = (place + random.below(40)).min(bytes.len());
                drop(bytes.drain(place..end));
            }
            3 => {
                let end = (place + random.below(80)).min(bytes.len());
                let again = bytes[place..end].to_vec();
                drop(bytes.splice(place..place, again));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = u8::try_from(random.below(256)).unwrap_or_default();
                }
            }
        }
    }
    bytes
}

#[test]
fn mutated_reports_are_taken() {
    let cases = std::env::var("POSTIGO_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000);
    let seeds = [
        report(&[
            "Original-Recipient: rfc822;jane+2Bx@x.test\r\nFinal-Recipient: rfc822; j@x.test\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 no",
        ]),
        report(&["Final-Recipient: utf-8;j\\x{F6}rg@x.test\r\nAction: delayed", "Final-Recipient: rfc822;b@x.test"]),
        "X-Failed-Recipients: a@x.test, b@x.test\r\nReferences: <sent@desk.test>\r\n\r\nSMTP error: 550\r\n".to_owned(),
        "From: x\r\n\r\nHi. This is the qmail-send program.\r\n\r\n<a@x.test>:\r\nno (#5.1.1)\r\n\r\n---\r\n\r\nMessage-ID: <a@b.test>\r\n"
            .to_owned(),
    ];
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut reports = 0_u64;
    for _ in 0..cases {
        let seed = &seeds[random.below(seeds.len())];
        let bytes = mutate(seed.as_bytes(), &mut random);
        if let Some(found) = read(&Message::parse(bytes.into())) {
            reports += 1;
            assert!(!found.recipients.is_empty() && found.recipients.len() <= MOST_RECIPIENTS);
            assert!(found.original.starts_with('<') && found.original.ends_with('>'));
            for recipient in found.recipients {
                assert!(!recipient.addresses.is_empty());
                assert!(
                    recipient
                        .addresses
                        .iter()
                        .all(|address| address.contains('@') && !address.contains(['\r', '\n', '\0']))
                );
                assert!(recipient.detail.chars().count() <= LONGEST_DETAIL && !recipient.detail.contains(['\r', '\n']));
            }
        }
    }
    assert!(reports > cases / 20, "the mutations leave some reports to be read: {reports} of {cases}");
}
