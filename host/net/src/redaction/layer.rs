//! A layer of a text: letters that a decoder made of the layer before, each of which knows from which part of the text
//! it comes.

use std::ops::Range;

/// In fewer letters no secret is looked for.
pub const LEAST: usize = 4;

/// A part of the text, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct TextSpan {
    /// Where it begins.
    pub start: usize,
    /// Where it has ended.
    pub end: usize,
}

impl TextSpan {
    /// From the beginning of this to the end of another one behind it.
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }
}

/// Bytes that are no UTF-8 are letters from here on: the next decoder may give those beside them that they lack. Nobody
/// else has letters there.
const LONE_BYTES: u32 = 0x10_FF00;

/// A letter of a layer, and what of the text it comes from.
#[derive(Debug, Clone, Copy)]
pub struct LayerLetter {
    /// The letter; of a byte that is no UTF-8, one that stands for it.
    pub letter: char,
    /// What a reader must see to decode it.
    pub place: TextSpan,
}

impl LayerLetter {
    /// The letter, as Latin-1 has it where it is no UTF-8.
    pub fn read(&self) -> char {
        lone_byte(self.letter).map_or(self.letter, char::from)
    }
}

fn lone_byte(letter: char) -> Option<u8> {
    u32::from(letter).checked_sub(LONE_BYTES).and_then(|byte| u8::try_from(byte).ok())
}

/// A text, or what a decoder makes of one.
pub struct Layer {
    letters: Vec<LayerLetter>,
    is_text: bool,
    is_of_base64: bool,
}

impl Layer {
    /// The text as it came.
    pub fn of(text: &str) -> Self {
        let letters = text
            .char_indices()
            .map(|(start, letter)| LayerLetter { letter, place: TextSpan { start, end: start + letter.len_utf8() } });
        Self { letters: letters.collect(), is_text: true, is_of_base64: false }
    }

    /// This layer with its escapes undone: as much a text as before.
    pub fn unescaped(&self, decoded: LayerBuilder) -> Self {
        Self { letters: decoded.letters(), ..*self }
    }

    /// Bytes that stood in this layer as numbers: what is no secret there is nothing to read.
    pub fn bytes(&self, decoded: LayerBuilder) -> Self {
        Self { letters: decoded.letters(), is_text: false, ..*self }
    }

    /// Bytes that stood in this layer in base64, of which each letter has a part of two bytes.
    pub fn of_base64(&self, decoded: LayerBuilder) -> Self {
        Self { is_of_base64: true, ..self.bytes(decoded) }
    }

    /// Its letters, in the order in which they stand in the text.
    pub fn letters(&self) -> &[LayerLetter] {
        &self.letters
    }

    /// Whether it is words, in which letters of no meaning may stand between others: no bytes that were something else.
    pub fn is_text(&self) -> bool {
        self.is_text
    }

    /// Whether there was base64 on the way here.
    pub fn is_of_base64(&self) -> bool {
        self.is_of_base64
    }

    /// From where in the text these of its letters come.
    pub fn place(&self, letters: Range<usize>) -> Option<Range<usize>> {
        let letters = self.letters.get(letters)?;
        Some(letters.first()?.place.start..letters.last()?.place.end)
    }
}

/// What a decoder has put together so far: bytes, of which letters may be made in the end.
#[derive(Default)]
pub struct LayerBuilder {
    bytes: Vec<u8>,
    places: Vec<TextSpan>,
}

impl LayerBuilder {
    /// Adds a byte.
    pub fn byte(&mut self, byte: u8, place: TextSpan) {
        self.bytes.push(byte);
        self.places.push(place);
    }

    /// Adds a letter.
    pub fn letter(&mut self, letter: char, place: TextSpan) {
        match lone_byte(letter) {
            Some(byte) => self.byte(byte, place),
            None => letter.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| self.byte(byte, place)),
        }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Without every other byte where that is a zero, as UTF-16 has it at letters of ASCII: it belongs to those beside
    /// it.
    fn of_one_byte_each(self) -> Self {
        let is_zero = |place: Option<usize>| place.and_then(|place| self.bytes.get(place)) == Some(&0);
        let (mut kept, mut before) = (Self::default(), None);
        for (at, (byte, place)) in self.bytes.iter().zip(self.places).enumerate() {
            if *byte == 0 && (is_zero(at.checked_sub(2)) || is_zero(at.checked_add(2))) {
                before.get_or_insert(place);
                if let Some(last) = kept.places.last_mut() {
                    last.end = place.end;
                }
            } else {
                kept.byte(*byte, before.take().map_or(place, |before: TextSpan| before.to(place)));
            }
        }
        kept
    }

    /// The bytes as letters of UTF-8, and each for itself where they are none.
    pub fn letters(self) -> Vec<LayerLetter> {
        let Self { bytes, places } = self.of_one_byte_each();
        let mut letters = Vec::with_capacity(bytes.len());
        let mut places = places.into_iter();
        // The places of its bytes, of which a letter has at least one.
        let mut of = |letter: char, bytes: usize| {
            let mut places = places.by_ref().take(bytes);
            if let Some(first) = places.next() {
                letters.push(LayerLetter { letter, place: first.to(places.last().unwrap_or(first)) });
            }
        };
        for chunk in bytes.utf8_chunks() {
            chunk.valid().chars().for_each(|letter| of(letter, letter.len_utf8()));
            let lone = |byte: &u8| char::from_u32(LONE_BYTES + u32::from(*byte)).unwrap_or(char::REPLACEMENT_CHARACTER);
            chunk.invalid().iter().for_each(|byte| of(lone(byte), 1));
        }
        letters
    }
}
