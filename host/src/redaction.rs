//! What a server says, without the secrets that it was told: for logs, answers and errors alike.
//!
//! A server may repeat what it was told, as it was told or in a form of its own: quoted, escaped, in base64, as a dump of bytes, over several
//! lines. A [`Redactor`] knows the secrets of one connection from its beginning, finds them in each of these forms, and leaves the rest of the
//! words readable. It is for words alone: mail and listings, by which the program goes, are never changed.

use crate::config::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

/// No more bytes of a text are looked at: far more than any log shows of it.
const LONGEST: usize = 16 << 10;
/// A secret of fewer letters is found where it stands alone only: else it would take every other word's letters.
const SHORT: usize = 4;

/// Takes the secrets of a connection out of what its server says. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor {
    /// What each is called in its place (`password`), and the secret.
    secrets: Arc<[(&'static str, Secret)]>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Redactor({} secrets)", self.secrets.len())
    }
}

impl Redactor {
    /// For these secrets, each with what it is called: `("password", …)` becomes `[the password]`. Empty ones are passed over.
    pub fn of(secrets: impl IntoIterator<Item = (&'static str, Secret)>) -> Self {
        Self { secrets: secrets.into_iter().filter(|(_, secret)| !secret.reveal().is_empty()).collect() }
    }

    /// The text without the secrets.
    pub fn redact(&self, text: &str) -> String {
        let text = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default();
        if self.secrets.is_empty() || text.is_empty() {
            return text.to_owned();
        }
        let (plain, whole) = (Letters::of(text, is_ascii), Letters::of(text, |_| true));
        let mut found = Vec::new();
        for (name, secret) in self.secrets.iter() {
            let clear = secret.reveal();
            if Letters::of(clear, |_| true).letters.len() < SHORT {
                found.extend(standing_alone(text, clear).map(|range| (range, *name)));
            }
            let before = found.len();
            for form in forms(clear) {
                let letters = if form.letters.iter().all(char::is_ascii) { &plain } else { &whole };
                found.extend(letters.find(&form).map(|range| (grown(text, range, form.grows), *name)));
            }
            if !clear.is_ascii() {
                // Their letters of other scripts were passed over, in whatever charset they came back.
                found.iter_mut().skip(before).for_each(|(range, _)| *range = grown(text, range.clone(), |letter| !letter.is_ascii()));
            }
        }
        replaced(text, found)
    }

    /// The text without the secrets, on one line of at most `most` letters.
    pub fn line(&self, text: &str, most: usize) -> String {
        // First the secrets: one that a cut has halved is not found any more.
        let line: String = self.redact(text).trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        match line.char_indices().nth(most) {
            Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
            None => line,
        }
    }
}

/// One of the forms in which a secret goes out or comes back.
struct Form {
    letters: Vec<char>,
    /// So many of its letters in a row are a piece of it that is taken out by itself.
    piece: usize,
    /// Letters around a piece that belong to it: the rest of a word in base64 encodes the secret's last bits.
    grows: fn(char) -> bool,
}

impl Form {
    /// Of which at least half, and six letters, tell too much.
    fn plain(text: &str) -> Self {
        let letters = Letters::of(text, if text.is_ascii() { is_ascii } else { |_| true }).letters;
        Self { piece: letters.len().min(usize::clamp(letters.len() / 2, 6, 12)), letters, grows: |_| false }
    }

    /// Encoded, so that even a short piece is hardly there by chance.
    fn encoded(text: &str, least: usize, grows: fn(char) -> bool) -> Self {
        let letters = Letters::of(text, is_ascii).letters;
        Self { piece: letters.len().min(usize::clamp(letters.len() / 3, least, 16)), letters, grows }
    }
}

fn is_ascii(letter: char) -> bool {
    letter.is_ascii()
}

fn in_base64(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/' | '=' | '-' | '_')
}

/// All forms of a secret.
fn forms(clear: &str) -> Vec<Form> {
    let mut plain = vec![clear.to_owned(), escaped(clear), percent_encoded(clear, false), percent_encoded(clear, true), of_html(clear)];
    if !clear.is_ascii() {
        let bytes_as_letters = |text: &str| text.bytes().map(char::from).collect::<String>();
        // Only ASCII letters of it; JSON's \u00e4; Latin-1 read as UTF-8; UTF-8 read as Latin-1.
        plain.extend([
            clear.chars().filter(char::is_ascii).collect(),
            of_json(clear),
            clear.chars().map(|letter| if letter.is_ascii() { letter } else { char::REPLACEMENT_CHARACTER }).collect(),
            bytes_as_letters(clear),
        ]);
    }
    plain.dedup();
    let mut forms: Vec<Form> = plain.iter().map(|text| Form::plain(text)).filter(|form| form.letters.len() >= SHORT).collect();
    let separated = |format: fn(u8) -> String, between: &str| clear.bytes().map(format).collect::<Vec<_>>().join(between);
    // HTTP's Basic has the secret of a client with percent signs (RFC 6749 section 2.3.1).
    for text in [clear, &percent_encoded(clear, true)] {
        let encoded = in_any_base64(text.as_bytes());
        forms.extend(encoded.iter().map(|text| Form::encoded(text, 5, in_base64)).filter(|form| form.letters.len() >= SHORT));
    }
    if clear.len() >= SHORT {
        forms.push(Form::encoded(&separated(|byte| format!("{byte:02x}"), ""), 8, |_| false));
        forms.push(Form::encoded(&separated(|byte| byte.to_string(), ","), 11, |letter| letter.is_ascii_digit()));
    }
    forms
}

/// In base64 at each place that a secret may have among other bytes, without the letters that these have a part in.
fn in_any_base64(secret: &[u8]) -> [String; 3] {
    [&b""[..], b"\0", b"\0\0"].map(|before| {
        let bytes = [before, secret].concat();
        let encoded = BASE64.encode(&bytes);
        // Each letter has six bits: those that begin and end within the secret are its own.
        encoded.get((before.len() * 8).div_ceil(6)..bytes.len() * 8 / 6).unwrap_or_default().to_owned()
    })
}

/// As in a quoted string of IMAP, in JSON and in Rust's debug form.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn of_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

fn of_json(text: &str) -> String {
    let mut json = String::new();
    for letter in text.chars() {
        if letter.is_ascii() {
            json.push_str(&escaped(letter.encode_utf8(&mut [0; 4])));
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(json, "\\u{unit:04x}");
            }
        }
    }
    json
}

/// As in a form's body (`plus`: a space is `+`), or in an address.
fn percent_encoded(text: &str, plus: bool) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' if plus => encoded.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) || (!plus && byte == b'~') || (plus && byte == b'*') => {
                encoded.push(char::from(byte));
            }
            byte => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// The letters of a text that count when a secret is looked for, and where they stand: without white space, line ends, quotes and backslashes,
/// which servers add, in lower case, which servers change, and in one alphabet of base64.
struct Letters {
    letters: Vec<char>,
    places: Vec<Range<usize>>,
}

impl Letters {
    fn of(text: &str, counts: fn(char) -> bool) -> Self {
        let (mut letters, mut places) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
        let mut backslashes = 0;
        for (place, letter) in text.char_indices() {
            if letter == '\\' {
                backslashes += 1;
                continue;
            }
            // After an odd number of backslashes, a line end or a tabulator in escaped form.
            let is_space = backslashes % 2 == 1 && matches!(letter, 'r' | 'n' | 't');
            backslashes = 0;
            if is_space || letter.is_whitespace() || letter.is_control() || letter == '"' || !counts(letter) {
                continue;
            }
            letters.push(match letter {
                '-' => '+',
                '_' => '/',
                letter => letter.to_lowercase().next().unwrap_or(letter),
            });
            places.push(place..place + letter.len_utf8());
        }
        Self { letters, places }
    }

    /// Where pieces of a form stand in the text.
    fn find(&self, form: &Form) -> impl Iterator<Item = Range<usize>> {
        let mut here: HashMap<&[char], Vec<usize>> = HashMap::new();
        if form.piece > 0 && form.letters.len() >= form.piece {
            for (place, window) in self.letters.windows(form.piece).enumerate() {
                here.entry(window).or_default().push(place);
            }
        }
        let pieces = form.letters.windows(form.piece.max(1));
        let found: Vec<usize> =
            if here.is_empty() { Vec::new() } else { pieces.filter_map(|piece| here.get(piece)).flatten().copied().collect() };
        let piece = form.piece;
        found.into_iter().filter_map(move |first| Some(self.places.get(first)?.start..self.places.get(first + piece - 1)?.end))
    }
}

/// The range with the letters around it that belong to it.
fn grown(text: &str, range: Range<usize>, belongs: impl Fn(char) -> bool) -> Range<usize> {
    let before = text.get(..range.start).unwrap_or_default().trim_end_matches(&belongs).len();
    let after = text.get(range.end..).unwrap_or_default();
    before..range.end + (after.len() - after.trim_start_matches(&belongs).len())
}

/// Where a text stands with no letter or digit beside it.
fn standing_alone<'t>(text: &'t str, wanted: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
    text.match_indices(wanted).map(|(place, found)| place..place + found.len()).filter(|range| {
        let before = text.get(..range.start).and_then(|text| text.chars().next_back());
        let after = text.get(range.end..).and_then(|text| text.chars().next());
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

/// The text with a secret's name in each range; ranges that touch, or have nothing to read between them, are one.
fn replaced(text: &str, mut found: Vec<(Range<usize>, &'static str)>) -> String {
    found.sort_by_key(|(range, _)| (range.start, range.end));
    let mut merged: Vec<(Range<usize>, &'static str)> = Vec::new();
    for (range, name) in found {
        match merged.last_mut() {
            Some((last, _)) if text.get(last.end..range.start).is_none_or(|between| !between.contains(char::is_alphanumeric)) => {
                last.end = last.end.max(range.end);
            }
            _ => merged.push((range, name)),
        }
    }
    let (mut rest, mut out) = (0, String::with_capacity(text.len()));
    for (range, name) in merged {
        out.push_str(text.get(rest..range.start).unwrap_or_default());
        let _ = write!(out, "[the {name}]");
        rest = range.end;
    }
    out.push_str(text.get(rest..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    fn redacted(secret: &str, text: &str) -> String {
        Redactor::of([("password", Secret::new(secret))]).redact(text)
    }

    #[test]
    fn the_servers_words_stay_readable_around_the_secret() {
        assert_eq!(redacted("hunter2!", "LOGIN jane hunter2! failed, 2 tries left"), "LOGIN jane [the password] failed, 2 tries left");
        assert_eq!(redacted("hunter2!", "Invalid password for jane"), "Invalid password for jane");
        assert_eq!(redacted("", "nothing to hide"), "nothing to hide");
    }

    #[test]
    fn a_secret_is_found_in_every_form_in_which_it_goes_out_or_comes_back() {
        for secret in [
            "pa55wörd",
            "hunter\"2\\secret",
            "s p a c e d",
            "r&d<x>'y'",
            "a\\nb\\rc\\tdef",
            "пароль!",
            "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg",
            "k-_-e-_-y",
        ] {
            let plain = format!("\0jane@example.org\0{secret}");
            let bearer = format!("user=jane@example.org\u{1}auth=Bearer {secret}\u{1}\u{1}");
            let bytes = |text: &str| format!("{:?}", text.as_bytes());
            let split = |text: &str| text.chars().flat_map(|letter| [letter, '\n']).collect::<String>();
            let said: Vec<String> = vec![
                secret.to_owned(),
                secret.to_uppercase(),
                escaped(secret),
                format!("{secret:?}"),
                format!("{:?}", escaped(secret)),
                format!("{{{}}}\r\n{secret}", secret.len()),
                bytes(secret),
                bytes(&plain),
                serde_json::to_string(secret).unwrap(),
                of_json(secret),
                STANDARD.encode(secret),
                STANDARD.encode(&plain),
                STANDARD.encode(format!("client:{}", percent_encoded(secret, true))),
                STANDARD.encode(&bearer),
                STANDARD.encode(&bearer).to_uppercase(),
                URL_SAFE_NO_PAD.encode(&bearer),
                split(&STANDARD.encode(&plain)),
                percent_encoded(secret, true).to_uppercase(),
                percent_encoded(secret, false),
                of_html(secret),
                split(secret),
                secret.bytes().map(char::from).collect(),
            ];
            for said in said {
                let words = redacted(secret, &format!("(I was told) {said} (and say so)"));
                assert!(words.contains("[the password]"), "{said:?} of {secret:?} became {words:?}");
                assert!(!words.contains(&said), "{said:?} of {secret:?} became {words:?}");
                assert!(words.starts_with("(I was told) ") && words.ends_with(" (and say so)"), "{words:?}");
            }
        }
    }

    #[test]
    fn the_whole_word_in_base64_goes_so_that_no_bits_are_left() {
        let blob = STANDARD.encode("\0jane\0hunter2!");
        assert_eq!(redacted("hunter2!", &format!("535 {blob} is wrong")), "535 [the password] is wrong");
        let (first, second) = blob.split_at(12);
        let words = redacted("hunter2!", &format!("535 {first} 5.7.8 {second} is wrong"));
        assert!(words.contains("5.7.8 [the password] is wrong"), "a piece is enough: {words}");
    }

    #[test]
    fn a_short_secret_takes_no_other_words_letters() {
        assert_eq!(redacted("no", "no, I know no such \"no\""), "[the password], I know [the password] such \"[the password]\"");
        assert_eq!(redacted("12", "212 of 12"), "212 of [the password]");
    }

    #[test]
    fn a_line_is_cut_after_the_secret_is_gone() {
        let redactor = Redactor::of([("access token", Secret::new("t0kent0kent0ken"))]);
        assert_eq!(redactor.line("a\r\nt0kent0kent0ken", 6), "a  [th…");
        assert_eq!(redactor.line(&"ä".repeat(1_000), 300).chars().count(), 301);
    }

    #[test]
    fn nothing_shows_the_secrets() {
        assert_eq!(format!("{:?}", Redactor::of([("password", Secret::new("hunter2!"))])), "Redactor(1 secrets)");
    }
}
