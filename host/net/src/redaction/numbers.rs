//! Letters as a list of numbers, in tens, eights or twos, with whatever between them: `104, 117`, `150 165`,
//! `\104\117`.

use super::layer::{LEAST, Layer, LayerBuilder, LayerLetter, TextSpan};

/// A base that such lists have.
struct NumberBase {
    radix: u32,
    /// What may stand before a number of it.
    prefixes: [&'static str; 2],
    /// So many digits a number has: fewer stand for no letter that can be read.
    digits: std::ops::RangeInclusive<usize>,
}

const BASES: [NumberBase; 3] = [
    NumberBase { radix: 10, prefixes: ["", ""], digits: 1..=7 },
    NumberBase { radix: 8, prefixes: ["0o", "0O"], digits: 2..=7 },
    NumberBase { radix: 2, prefixes: ["0b", "0B"], digits: 6..=8 },
];

/// What each list in the layer stands for, in every base in which it may be read.
pub fn decoded(layer: &Layer) -> Vec<Layer> {
    let mut layers = Vec::new();
    for base in &BASES {
        let mut list = LayerBuilder::default();
        for word in layer.letters().split(|letter| !letter.letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
            if let Some((value, place)) = base.number(word) {
                match u8::try_from(value) {
                    Ok(byte) => list.byte(byte, place),
                    // Of more than a byte: a letter's own number.
                    Err(_) => list.letter(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER), place),
                }
            } else {
                end(layer, &mut list, &mut layers);
            }
        }
        end(layer, &mut list, &mut layers);
    }
    layers
}

fn end(layer: &Layer, list: &mut LayerBuilder, layers: &mut Vec<Layer>) {
    let list = std::mem::take(list);
    if list.len() >= LEAST {
        layers.push(layer.bytes(list));
    }
}

impl NumberBase {
    /// The number that a whole word is.
    fn number(&self, word: &[LayerLetter]) -> Option<(u32, TextSpan)> {
        let place = word.first()?.place.to(word.last()?.place);
        let has = |prefix: &&str| {
            prefix.chars().zip(word).filter(|(mark, letter)| *mark == letter.letter).count() == prefix.len()
        };
        let prefix = self.prefixes.iter().find(|prefix| has(prefix)).map_or(0, |prefix| prefix.len());
        let digits = word.get(prefix..).filter(|digits| self.digits.contains(&digits.len()))?;
        let value =
            digits.iter().try_fold(0, |value, digit| Some(value * self.radix + digit.letter.to_digit(self.radix)?))?;
        Some((value, place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        decoded(&Layer::of(text)).iter().map(|layer| layer.letters().iter().map(LayerLetter::read).collect()).collect()
    }

    #[test]
    fn a_list_is_read_in_every_base_that_fits_it() {
        for text in [
            "104 117 110 116",
            "[104, 117,110,\t116]",
            "\\104\\117\\110\\116",
            "was 104;117;110;116 no",
            "104 195 188 110 116",
        ] {
            assert!(read(text).iter().any(|list| list == "hunt" || list == "hünt"), "{text}: {:?}", read(text));
        }
        assert!(read("150 165 0156 0o164").contains(&"hunt".to_owned()));
        assert!(read("01101000 1110101 0b01101110 01110100").contains(&"hunt".to_owned()));
        assert!(read("1087 1072 1088 33").contains(&"пар!".to_owned()));
        assert!(read("250 2.1 fine").is_empty());
    }
}
