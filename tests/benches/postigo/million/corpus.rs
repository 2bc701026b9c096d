//! Mails of a desk of some size, each made of its number alone, so that every run has the same: sizes are log-normal with a
//! median of 2 KB, words come as often as words do, a quarter follows up an earlier one, some are of two texts, some
//! name an `X-OTOBO-*` header that does not count.

use postigo_tests::draw::Draw;
use std::f64::consts::TAU;
use std::fmt::Write as _;

/// Changed with what the mails are: a database of others is made anew.
pub const VERSION: u32 = 1;
/// Where the mails come in.
pub const ACCOUNTS: [&str; 4] = ["support", "sales", "billing", "abroad"];
/// The median of the mails' bytes.
const MEDIAN: f64 = 2_000.0;
/// So much larger than the median is a mail at one standard deviation: e to the power of this.
const SPREAD: f64 = 0.9;
/// No mail has more bytes than about this.
const LARGEST: f64 = 200_000.0;
/// Different words.
const WORDS: f64 = 20_000.0;
/// Different people who write.
const PEOPLE: u64 = 5_000;
/// A mail follows up one of so many before it.
const NEAR: u64 = 2_000;

/// A mail and where it comes in.
pub struct NumberedMail {
    /// The account's place in [`ACCOUNTS`].
    pub account: usize,
    /// With CRLF.
    pub text: String,
}

/// The mail of this number.
pub fn mail(number: u64) -> NumberedMail {
    let mut draw = Draw(number.wrapping_mul(0x9e37_79b9).wrapping_add(31));
    let size = size(&mut draw);
    let person = draw.below(PEOPLE);
    let account = draw.below(ACCOUNTS.len() as u64) as usize;
    let (sender, host) = (format!("{}.{person}", word(&mut draw)), format!("customer{}.example", person % 400));
    let earlier = (draw.below(4) == 0 && number > 0).then(|| number - 1 - draw.below(NEAR.min(number)));
    let mut text = String::with_capacity(size + 1_500);
    let day = 1 + draw.below(28);
    let date = format!("{day:02} Nov 2026 {:02}:{:02}:{:02} +0000", draw.below(24), draw.below(60), draw.below(60));
    let _ = write!(
        text,
        "Return-Path: <{sender}@{host}>\r\nReceived: from mx{}.{host} (mx{}.{host} [192.0.2.{}])\r\n\tby mail.example.org with ESMTPS id {}\r\n\tfor <{}@example.org>; {date}\r\n",
        person % 3,
        person % 3,
        person % 250,
        letters(&mut draw, 12),
        ACCOUNTS[account],
    );
    if draw.below(2) == 0 {
        let _ = write!(
            text,
            "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d={host}; s=mail;\r\n\th=from:to:subject:date:message-id; bh={}=;\r\n\tb={}==\r\n",
            letters(&mut draw, 43),
            letters(&mut draw, 86),
        );
    }
    let _ = write!(
        text,
        "From: \"{} {}\" <{sender}@{host}>\r\nTo: Desk <{}@example.org>\r\nSubject: {}\r\nMessage-ID: {}\r\nDate: {date}\r\nMIME-Version: 1.0\r\n",
        capital(&word(&mut draw)),
        capital(&word(&mut draw)),
        ACCOUNTS[account],
        subject(number, &mut draw),
        message_id(number),
    );
    if let Some(earlier) = earlier {
        let _ = write!(text, "In-Reply-To: {0}\r\nReferences: {0}\r\n", message_id(earlier));
    }
    if draw.below(50) == 0 {
        text.push_str("X-OTOBO-Queue: Junk\r\n");
    }
    body(&mut text, size, &mut draw);
    NumberedMail { account, text }
}

/// A size by the sum of two drawn numbers (Box and Muller).
fn size(draw: &mut Draw) -> usize {
    let mut even = || (draw.below(1 << 32) as f64 + 1.0) / (1_u64 << 32) as f64;
    let normal = (-2.0 * even().ln()).sqrt() * (TAU * even()).cos();
    (MEDIAN * (SPREAD * normal).exp()).min(LARGEST) as usize
}

fn message_id(number: u64) -> String {
    let mut draw = Draw(number ^ 0x4d49_4400);
    format!("<{}.{number}@mail.example>", letters(&mut draw, 16))
}

/// One in ten has what the last filter looks for.
fn subject(number: u64, draw: &mut Draw) -> String {
    let words = line(draw, 4);
    if number.is_multiple_of(10) { format!("Re: pump {number} {words}") } else { capital(&words) }
}

fn body(text: &mut String, size: usize, draw: &mut Draw) {
    let left = size.saturating_sub(text.len()).max(40);
    if draw.below(8) != 0 {
        text.push_str("Content-Type: text/plain; charset=utf-8\r\n\r\n");
        lines(text, left, draw);
        return;
    }
    let boundary = letters(draw, 20);
    let _ = write!(text, "Content-Type: multipart/alternative; boundary={boundary}\r\n\r\n");
    for kind in ["plain", "html"] {
        let _ = write!(text, "--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n\r\n");
        lines(text, left / 2, draw);
    }
    let _ = write!(text, "--{boundary}--\r\n");
}

fn lines(text: &mut String, size: usize, draw: &mut Draw) {
    let end = text.len() + size;
    while text.len() < end {
        let count = 8 + draw.below(6) as usize;
        text.push_str(&line(draw, count));
        text.push_str("\r\n");
    }
}

fn line(draw: &mut Draw, words: usize) -> String {
    (0..words).map(|_| word(draw)).collect::<Vec<_>>().join(" ")
}

/// A word; the second comes half as often as the first, the third a third as often (Zipf).
fn word(draw: &mut Draw) -> String {
    const SYLLABLES: [&str; 24] = [
        "be", "an", "ter", "ki", "lo", "sum", "de", "ra", "ver", "in", "sto", "pa", "ne", "go", "ti", "ul", "ma", "ex",
        "con", "por", "li", "et", "us", "que",
    ];
    let rank = WORDS.powf(draw.below(1 << 20) as f64 / f64::from(1 << 20)) as u64;
    let mut of = Draw(rank);
    // Words that are common are short.
    let syllables = 1 + u64::from(rank.ilog10()).min(2) + of.below(2);
    (0..syllables).map(|_| SYLLABLES[of.below(SYLLABLES.len() as u64) as usize]).collect()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

fn letters(draw: &mut Draw, count: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..count).map(|_| char::from(LETTERS[draw.below(62) as usize])).collect()
}
