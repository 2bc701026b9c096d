//! What holds for any secret, any way to encode it, and any text: random ones are tried.

use super::readings;
use super::*;
use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

/// A way in which servers write bytes.
type Encoder = fn(&[u8]) -> String;

const ENCODERS: [Encoder; 23] = [
    |bytes| each_byte(bytes, "", |byte| format!("\\x{byte:02x}")),
    |bytes| each_byte(bytes, "", |byte| format!("\\{byte:03o}")),
    |bytes| each_byte(bytes, "", |byte| format!("%{byte:02X}")),
    |bytes| each_byte(bytes, "", |byte| format!("={byte:02X}")),
    |bytes| words(bytes).encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
    |bytes| words(bytes).chars().map(|letter| format!("\\u{{{:x}}}", u32::from(letter))).collect(),
    |bytes| words(bytes).chars().map(|letter| format!("&#{};", u32::from(letter))).collect(),
    |bytes| words(bytes).chars().map(|letter| format!("&#x{:X};", u32::from(letter))).collect(),
    |bytes| each_byte(bytes, ", ", |byte| byte.to_string()),
    |bytes| each_byte(bytes, " ", |byte| byte.to_string()),
    |bytes| each_byte(bytes, " ", |byte| format!("{byte:03o}")),
    |bytes| each_byte(bytes, " ", |byte| format!("{byte:08b}")),
    |bytes| each_byte(bytes, ":", |byte| format!("{byte:02X}")),
    |bytes| each_byte(bytes, ", ", |byte| format!("0x{byte:02x}")),
    |bytes| each_byte(bytes, "", |byte| format!("{byte:02x}")),
    |bytes| words(bytes).encode_utf16().flat_map(u16::to_le_bytes).map(|byte| format!("{byte:02x}")).collect(),
    |bytes| words(bytes).encode_utf16().map(|unit| format!("{unit:04X} ")).collect(),
    |bytes| STANDARD.encode(bytes),
    |bytes| URL_SAFE_NO_PAD.encode(bytes),
    |bytes| STANDARD.encode(bytes).as_bytes().chunks(20).map(|line| format!("{}\r\n", words(line))).collect(),
    |bytes| format!("{:?}", words(bytes)),
    mixed,
    |bytes| STANDARD.encode([b"\0jane\0", bytes].concat()),
];
/// The last has the secret among other words, which stay.
const AMONG_OTHERS: usize = ENCODERS.len() - 1;

/// The bytes as letters, of UTF-8 or else of Latin-1.
fn words(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().copied().map(char::from).collect(), str::to_owned)
}

fn each_byte(bytes: &[u8], between: &str, format: fn(u8) -> String) -> String {
    bytes.iter().copied().map(format).collect::<Vec<_>>().join(between)
}

/// Each byte in another way, letters and digits as they are among them.
fn mixed(bytes: &[u8]) -> String {
    let encoded = bytes.iter().enumerate().map(|(place, byte)| match place % 6 {
        0 | 3 if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
        0 | 1 => format!("%{byte:02x}"),
        2 => format!("\\x{byte:02X}"),
        3 | 4 => format!("={byte:02X}"),
        _ => format!("\\{byte:03o}"),
    });
    encoded.collect()
}

fn redactor(secret: &str) -> Redactor {
    Redactor::of([("password", secret)])
}

/// Letters of all layers of a text.
fn work(text: &str) -> usize {
    let mut letters = 0;
    readings::each(text, &mut |layer| letters += layer.letters().len());
    letters
}

/// More letters than that for each of the text's own no text costs.
const DEAREST: usize = 64;

fn letters_and_digits(text: &str) -> usize {
    text.chars().filter(|letter| letter.is_alphanumeric()).count()
}

/// What is told of a secret: it or at least half of it, forwards or backwards, in UTF-8 or Latin-1.
fn told(secret: &str, part: u8, latin: bool) -> Vec<u8> {
    let letters: Vec<char> = secret.chars().collect();
    let half = letters.len().div_ceil(2).max(8).min(letters.len());
    let told: String = match part {
        0 => letters[letters.len() - half..].iter().collect(),
        1 => letters[..half].iter().collect(),
        2 => letters.iter().rev().collect(),
        _ => secret.to_owned(),
    };
    let of_latin = || told.chars().map(|letter| u8::try_from(letter).ok()).collect::<Option<Vec<u8>>>();
    of_latin().filter(|_| latin).unwrap_or_else(|| told.clone().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn however_a_secret_is_encoded_nothing_that_tells_of_it_is_left(
        secret in "[!-~]{2,16}[a-zA-Z0-9]{6,12}[!-~]{0,8}|[a-zA-Z0-9]{8,40}|[a-z0-9äöüßéÄ]{8,20}|[a-z0-9€пароль!-/]{10,20}",
        encoders in proptest::collection::vec(0..ENCODERS.len(), 0..=3),
        part in 0..6_u8,
        latin in any::<bool>(),
    ) {
        // White space, quotes and backslashes are added and left out by servers: they do not count as half of a secret.
        let secret: String = secret.replace(['"', '\\'], "_");
        let told = encoders.iter().fold(told(&secret, part, latin), |told, encoder| ENCODERS[*encoder](&told).into_bytes());
        let told = String::from_utf8_lossy(&told);
        let redactor = redactor(&secret);
        let around = ["535 I was told ", " (and that is wrong)"];
        let said = around.join(&told);
        let redacted = redactor.redact(&said);
        prop_assert!(redacted.contains("[the password]"), "{said:?} of {secret:?} became {redacted:?}");
        // The letters beside it may be the secret's as well.
        prop_assert!(redacted.starts_with("535 I was") && redacted.ends_with("that is wrong)"), "{said:?} became {redacted:?}");
        let left = letters_and_digits(&redacted.replace("[the password]", "")).saturating_sub(letters_and_digits(&around.concat()));
        prop_assert!(encoders.contains(&AMONG_OTHERS) || left <= 4 + told.len() / 4, "of {said:?} there is left {redacted:?}");
        prop_assert_eq!(redactor.places(&redacted), [], "{:?} became {:?}", said, redacted);
    }

    #[test]
    fn a_text_without_the_secret_stays_as_it_is(
        secret in "[!-~]{8,24}|[a-z]{6,9}[0-9]{2}|[a-z0-9äöüß]{8,20}",
        text in "([ -~]{0,120}|(no|user|failed|sign-in|[0-9]{3}|[0-9a-f]{2}|[A-Za-z0-9+/]{4,60}={0,2}|%[0-9A-F]{2}|\\\\x[0-9a-f]{2}|&#[0-9]{2,3};|[ ,:.;\r\n]){0,60}|\\PC{0,60})",
    ) {
        prop_assert_eq!(redactor(&secret).redact(&text), text);
    }

    #[test]
    fn no_text_costs_more_than_so_much_for_each_of_its_letters(
        words in proptest::collection::vec("%25|\\\\|&amp;|=3D|[0-9]|[0-9a-f]{2}|MTEx|TVRF|[A-Za-z0-9+/]{4}|4d54|[0-7]{3} |1 |\\\\x5c|u0075|[01]{8} ", 1..12),
        often in 1..40_usize,
    ) {
        let text = words.concat().repeat(often);
        prop_assert!(work(&text) <= text.len() * DEAREST, "{} letters for {}", work(&text), text.len());
    }
}

#[test]
fn hostile_texts_cost_in_proportion_to_their_length() {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encoded = (0..5).fold("hunter2!".repeat(64), |text, _| STANDARD.encode(text));
    let long = ["%25", alphabet, "0123456789"].map(|piece| (piece, 20));
    let shorter =
        ["%2525", "\\", "\\\\x5c", "&amp;", "1 ", "68", "0x68 ", "150 ", "MTEx", &encoded].map(|piece| (piece, 17));
    for (piece, length) in long.into_iter().chain(shorter) {
        let text = |length: usize| piece.chars().cycle().take(1 << length).collect::<String>();
        let (small, large) = (work(&text(14)), work(&text(length)));
        assert!(large <= DEAREST << length, "{piece}: {large} letters");
        // The ends of a text may come to something of their own.
        assert!(large <= (small + 64) << (length - 14), "{piece}: {large} letters, and {small} of a shorter text");
    }
}
