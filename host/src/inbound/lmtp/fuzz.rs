//! Sessions of clients that say anything: no panic, an end to every session, and no message said to be stored that is
//! not.

use super::tests::{FakeSpool, Mood, limits, talk_in_pieces};
use crate::inbound::mutation::Dice;
use postigo_model::configured::Dialect;
use std::sync::Arc;

/// What mutations begin with.
const SEEDS: [&str; 7] = [
    "LHLO mx.test\r\nMAIL FROM:<a@x.test> SIZE=30\r\nRCPT TO:<support@desk.test>\r\nDATA\r\nSubject: a\r\n\r\n..b\r\n.\r\nQUIT\r\n",
    "LHLO mx.test\r\nMAIL FROM:<>\r\nRCPT TO:<sales@desk.test>\r\nRCPT TO:<help+x@desk.test>\r\nBDAT 12\r\nSubject: a\r\nBDAT 2 LAST\r\n\r\nRSET\r\n",
    "EHLO mx.test\r\nMAIL FROM:<\"a b\"@x.test> BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<@r.test:support@desk.test>\r\nDATA\r\n.\r\nQUIT\r\n",
    "HELO mx.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<Postmaster>\r\nDATA\r\na\n.\nMAIL FROM:<b@x.test>\r\n.\r\n",
    "LHLO mx.test\r\nSTARTTLS\r\nNOOP\r\nVRFY a\r\nHELP\r\nAUTH PLAIN AGEAYg==\r\nEXPN b\r\nRSET\r\nMAIL FROM:<\u{fc}@x.test> SMTPUTF8\r\n",
    "LHLO mx.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<help@desk.test>\r\nRCPT TO:<help@desk.test>\r\nBDAT 3\r\na\r\nDATA\r\nBDAT 99999999999999999999 LAST\r\n",
    "EHLO mx.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<help@desk.test>\r\nBDAT 4\r\na: b\rBDAT 2\r\nBDAT 1\r\n\rBDAT 3 LAST\r\n\nb\rNOOP\r\n",
];

/// Pieces that change a session's meaning.
const PIECES: [&[u8]; 14] = [
    b"\r\n",
    b"\n",
    b"\r",
    b".",
    b"\r\n.\r\n",
    b"\0",
    b"\xff",
    b"<>",
    b"DATA\r\n",
    b"BDAT 5 LAST\r\n",
    b"RSET\r\n",
    b"MAIL FROM:<>\r\n",
    b"RCPT TO:<support@desk.test>\r\n",
    b" SIZE=18446744073709551616",
];

fn mutated(dice: &mut Dice) -> Vec<u8> {
    let mut said = dice.one_of(&SEEDS).as_bytes().to_vec();
    for _ in 0..dice.below(6) {
        let at = dice.below(said.len() + 1);
        match dice.below(5) {
            0 => drop(said.splice(at..at, dice.one_of(&PIECES).iter().copied())),
            1 => said.truncate(at),
            2 if at < said.len() => said[at] = dice.below(256) as u8,
            3 => drop(said.drain(at..(at + dice.below(8)).min(said.len()))),
            _ => {
                let other = dice.one_of(&SEEDS).as_bytes();
                let from = dice.below(other.len());
                said.truncate(at);
                said.extend_from_slice(&other[from..]);
            }
        }
    }
    if dice.below(100) == 0 {
        // Longer than a line that is taken whole.
        let (at, line) = (dice.below(said.len() + 1), vec![b'x'; 30_000 + dice.below(50_000)]);
        drop(said.splice(at..at, line));
    }
    said
}

#[tokio::test]
async fn clients_that_say_anything_break_nothing() {
    let cases: u64 = std::env::var("POSTIGO_FUZZ_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000);
    for case in 0..cases {
        let mut dice = Dice::new(0x9e37_79b9_7f4a_7c15 ^ (case + 1).wrapping_mul(0x2545_f491_4f6c_dd1d));
        let dialect = if dice.below(4) == 0 { Dialect::Smtp } else { Dialect::Lmtp };
        let mood = [Mood::Well, Mood::Well, Mood::Known, Mood::Full, Mood::Broken][dice.below(5)];
        let said = mutated(&mut dice);
        let spool: Arc<FakeSpool> = FakeSpool::new(mood);
        // Half of them all at once.
        let piece = [1 << 20, 1 + dice.below(50)][dice.below(2)];
        let (answers, _) = talk_in_pieces(&spool, dialect, limits(), &said, piece).await;
        let told = |word: &str| answers.lines().filter(|line| line.starts_with(word)).count();
        let stored = spool.stored.lock().unwrap();
        let recipients: usize = stored.iter().map(|arrival| arrival.recipients.len()).sum();
        let promised = told("250 2.0.0 Stored as");
        match dialect {
            Dialect::Lmtp => {
                assert_eq!(promised, recipients, "case {case}: {:?}\n{answers}", said.escape_ascii().to_string());
            }
            Dialect::Smtp => {
                assert!((promised == 0) == stored.is_empty() && promised <= recipients, "case {case}: {answers}");
            }
        }
        assert!(mood == Mood::Known || told("250 2.0.0 Known as") == 0, "case {case}");
        for arrival in stored.iter() {
            assert!(
                arrival.raw.windows(2).all(|pair| (pair[0] == b'\r') == (pair[1] == b'\n')),
                "case {case}: a bare CR or LF is stored"
            );
        }
        for line in answers.split_inclusive("\r\n") {
            let whole = line.ends_with("\r\n")
                && line.get(..3).is_some_and(|code| code.bytes().all(|digit| digit.is_ascii_digit()));
            assert!(whole, "case {case}: no answer: {line:?}");
        }
    }
}
