//! One secret, and where pieces of it stand in a layer of a text.
//!
//! Letters are compared without what servers add to them (white space, line ends, quotes, backslashes), without case,
//! and in one alphabet of base64. A piece is found by a sum over its letters that goes along the text: each layer is
//! read once, however long the secret is.

use super::base64::{is_in_base64, is_passed_over};
use super::escapes;
use super::layer::{LEAST, Layer, LayerBuilder, LayerLetter, TextSpan};
use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::OnceLock;

/// A secret that is written backwards is found if it is so long: `live` would make words of others' `evil`.
const LEAST_BACKWARDS: usize = 6;
/// A piece of so many letters is hardly anywhere by chance.
const SURE: usize = 6;
/// How often what a secret has of escapes may have been undone with those of the text.
const UNDONE: usize = 3;
/// What the sums of letters are to.
const BASE: u64 = 0x9E37_79B9_7F4A_7C15;

/// A secret that is looked for.
pub struct SecretPattern {
    clear: String,
    /// Made when a text is first searched: most connections are never told anything.
    pieces: OnceLock<BTreeMap<PatternGroup, HashSet<u64>>>,
}

/// A place in the text that tells of the secret.
pub struct Sighting {
    /// Where.
    pub place: Range<usize>,
    /// Whether the letters of base64 around it belong to it: they have the secret's last bits.
    pub is_in_base64: bool,
}

/// Pieces that are looked for together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct PatternGroup {
    /// So many letters in a row are a piece.
    length: usize,
    among: Among,
    is_base64: bool,
}

/// Among which letters a piece stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Among {
    /// All.
    All,
    /// Those of ASCII in words, and all in bytes: a piece has no others.
    Ascii,
    /// Those of ASCII: the piece's others were left out, in whatever charset they come.
    LeftOut,
}

impl SecretPattern {
    /// For this secret.
    pub fn new(clear: String) -> Self {
        Self { clear, pieces: OnceLock::new() }
    }

    /// Where the text itself has the secret, if that has so few letters that others' words have them too: with no
    /// letter or digit beside it.
    pub fn standing_alone(&self, text: &str) -> Vec<Range<usize>> {
        if ComparedLetters::of(Layer::of(&self.clear).letters(), |_| true).letters.len() >= LEAST {
            return Vec::new();
        }
        let places = text.match_indices(self.clear.as_str()).map(|(place, found)| place..place + found.len());
        let alone = places.filter(|range| {
            let before = text.get(..range.start).and_then(|text| text.chars().next_back());
            let after = text.get(range.end..).and_then(|text| text.chars().next());
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
        });
        alone.collect()
    }

    /// Where a layer has pieces of the secret.
    pub fn find(&self, layer: &Layer, compared: &Letters) -> Vec<Sighting> {
        let mut found = Vec::new();
        for (kind, sums) in self.pieces.get_or_init(|| pieces(&self.clear)) {
            let letters = match kind.among {
                Among::All => &compared.all,
                Among::Ascii if !layer.is_text() => &compared.all,
                // In bytes that were no words, a few letters are there by chance once all between them are left out.
                Among::LeftOut if !layer.is_text() && kind.length < SURE => continue,
                Among::Ascii | Among::LeftOut => &compared.ascii,
            };
            for range in letters.find(kind.length, sums) {
                let range = if self.clear.is_ascii() { range } else { grown(layer.letters(), range) };
                if let Some(place) = layer.place(range) {
                    found.push(Sighting { place, is_in_base64: kind.is_base64 || layer.is_of_base64() });
                }
            }
        }
        found
    }
}

/// The range with the letters around it that are not of ASCII: the secret's own were left out of what was compared.
fn grown(letters: &[LayerLetter], range: Range<usize>) -> Range<usize> {
    let others = |letter: &&LayerLetter| !letter.letter.is_ascii();
    let before = letters.get(..range.start).unwrap_or_default().iter().rev().take_while(others).count();
    let after = letters.get(range.end..).unwrap_or_default().iter().take_while(others).count();
    range.start - before..range.end + after
}

/// The letters of a layer as they are compared.
pub struct Letters {
    all: ComparedLetters,
    ascii: ComparedLetters,
}

impl Letters {
    /// Of this layer.
    pub fn of(layer: &Layer) -> Self {
        Self {
            all: ComparedLetters::of(layer.letters(), |_| true),
            ascii: ComparedLetters::of(layer.letters(), |letter| letter.is_ascii()),
        }
    }
}

/// Letters that count, and which of their layer's they are.
struct ComparedLetters {
    letters: Vec<char>,
    places: Vec<usize>,
}

impl ComparedLetters {
    fn of(letters: &[LayerLetter], counts: fn(char) -> bool) -> Self {
        let read = letters.iter().map(LayerLetter::read).enumerate();
        let counted = read.filter(|(_, letter)| !is_passed_over(*letter) && counts(*letter));
        let (letters, places) = counted.map(|(place, letter)| (alike(letter), place)).unzip();
        Self { letters, places }
    }

    /// Where in the layer pieces of this length with one of these sums stand, those that overlap or touch as one. That
    /// two different pieces have the same sum takes a server that tries for it, which then hides its own words.
    fn find(&self, length: usize, wanted: &HashSet<u64>) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for (first, sum) in sums(&self.letters, length).enumerate() {
            if wanted.contains(&sum) {
                match found.last_mut().filter(|last| first <= last.end) {
                    Some(last) => last.end = first + length,
                    None => found.push(first..first + length),
                }
            }
        }
        let in_layer = |range: Range<usize>| Some(*self.places.get(range.start)?..self.places.get(range.end - 1)? + 1);
        found.into_iter().filter_map(in_layer).collect()
    }
}

/// The same for all letters that servers take for one another.
fn alike(letter: char) -> char {
    match letter {
        '-' => '+',
        '_' => '/',
        letter if letter.is_ascii() => letter.to_ascii_lowercase(),
        letter => letter.to_lowercase().next().unwrap_or(letter),
    }
}

/// The sum of each piece of this length.
fn sums(letters: &[char], length: usize) -> impl Iterator<Item = u64> {
    let number = |letter: &char| u64::from(u32::from(*letter)) + 1;
    let highest = (0..length).fold(1_u64, |highest, _| highest.wrapping_mul(BASE));
    let mut sum = 0_u64;
    letters.iter().enumerate().filter_map(move |(place, letter)| {
        sum = sum.wrapping_mul(BASE).wrapping_add(number(letter));
        if let Some(left) = place.checked_sub(length).and_then(|place| letters.get(place)) {
            sum = sum.wrapping_sub(highest.wrapping_mul(number(left)));
        }
        (place + 1 >= length).then_some(sum)
    })
}

/// All pieces of a secret.
fn pieces(clear: &str) -> BTreeMap<PatternGroup, HashSet<u64>> {
    let mut pieces: BTreeMap<PatternGroup, HashSet<u64>> = BTreeMap::new();
    let mut add = |mut letters: Vec<char>, among: Among, is_base64: bool| {
        // Of a secret at least half, and six letters, tell too much. Encoded, even a short piece is hardly there by
        // chance.
        let enough = if is_base64 {
            usize::clamp(letters.len() / 3, 5, 16)
        } else {
            usize::clamp(letters.len() / 2, SURE, 2 * SURE)
        };
        let kind = PatternGroup { length: letters.len().min(enough), among, is_base64 };
        if letters.len() < LEAST {
            return;
        }
        let sums_of = pieces.entry(kind).or_default();
        sums_of.extend(sums(&letters, kind.length));
        if letters.len() >= LEAST_BACKWARDS {
            letters.reverse();
            sums_of.extend(sums(&letters, kind.length));
        }
    };
    let compared = |letters: &[LayerLetter]| ComparedLetters::of(letters, |_| true).letters;
    let mut plain: Vec<Vec<char>> = Vec::new();
    let mut layer = Layer::of(clear);
    // What it has of escapes itself is undone with those of a text.
    for _ in 0..UNDONE {
        plain.push(compared(layer.letters()));
        let Some(unescaped) = escapes::decoded(&layer).next() else { break };
        layer = unescaped;
    }
    // As in a form's body.
    plain.push(compared(Layer::of(&clear.replace(' ', "+")).letters()));
    if !clear.is_ascii() {
        let replaced =
            |by: char| clear.chars().map(|letter| if letter.is_ascii() { letter } else { by }).collect::<String>();
        let of_bytes = |bytes: &mut dyn Iterator<Item = u8>| {
            let mut decoded = LayerBuilder::default();
            bytes.for_each(|byte| decoded.byte(byte, TextSpan { start: 0, end: 0 }));
            compared(&decoded.letters())
        };
        plain.extend([
            // Charsets without these letters, or read as another one; UTF-8 read as Latin-1.
            compared(Layer::of(&replaced(char::REPLACEMENT_CHARACTER)).letters()),
            compared(Layer::of(&replaced('?')).letters()),
            compared(Layer::of(&clear.bytes().map(char::from).collect::<String>()).letters()),
            // UTF-16.
            of_bytes(&mut clear.encode_utf16().flat_map(u16::to_be_bytes)),
            of_bytes(&mut clear.encode_utf16().flat_map(u16::to_le_bytes)),
        ]);
        let ascii: String = clear.chars().filter(char::is_ascii).collect();
        add(compared(Layer::of(&ascii).letters()), Among::LeftOut, false);
    }
    for letters in plain {
        let among = if letters.iter().all(char::is_ascii) { Among::Ascii } else { Among::All };
        add(letters, among, false);
    }
    // In base64 that a server changed the case of, which nobody can decode. HTTP's Basic has the secret of a client
    // with percent signs (RFC 6749 section 2.3.1).
    let in_a_form: String = form_urlencoded::byte_serialize(clear.as_bytes()).collect();
    for text in [clear, &in_a_form] {
        for encoded in in_any_base64(text.as_bytes()) {
            add(compared(Layer::of(&encoded).letters()), Among::Ascii, true);
        }
    }
    pieces
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

/// Places in the text, those in base64 with the rest of their words; in the order in which they begin. Each letter is
/// looked at once.
pub fn with_words(text: &str, mut found: Vec<(Sighting, &'static str)>) -> Vec<(Range<usize>, &'static str)> {
    found.sort_by_key(|(found, _)| (found.place.start, found.place.end));
    let mut done = 0;
    let mut places = Vec::with_capacity(found.len());
    for (Sighting { mut place, is_in_base64: grows }, name) in found {
        if grows && place.end > done {
            let before = text.get(done.min(place.start)..place.start).unwrap_or_default();
            place.start -= before.len() - before.trim_end_matches(is_in_base64).len();
            let after = text.get(place.end..).unwrap_or_default();
            place.end += after.len() - after.trim_start_matches(is_in_base64).len();
            done = place.end;
        }
        places.push((place, name));
    }
    places
}
