//! Bytes in base64, in either alphabet, over several lines or with words before it.

use super::layer::{LEAST, Layer, LayerBuilder, TextSpan};

/// Whether servers add it anywhere, so that it means nothing.
pub fn is_passed_over(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control() || matches!(letter, '"' | '\\')
}

/// Whether it may stand in base64.
pub fn is_in_base64(letter: char) -> bool {
    letter == '=' || six_bits(letter).is_some()
}

/// What each run of such letters in the layer stands for, from each of its first four letters on: words may stand
/// before what is encoded.
pub fn decoded(layer: &Layer) -> Vec<Layer> {
    let (mut layers, mut run) = (Vec::new(), Vec::new());
    for letter in layer.letters() {
        match six_bits(letter.letter) {
            Some(bits) => run.push((bits, letter.place)),
            None if is_passed_over(letter.letter) => {}
            None => end(layer, &mut run, &mut layers),
        }
    }
    end(layer, &mut run, &mut layers);
    layers
}

fn end(layer: &Layer, run: &mut Vec<(u8, TextSpan)>, layers: &mut Vec<Layer>) {
    let run = std::mem::take(run);
    // Eight bits for six.
    if run.len() * 3 < LEAST * 4 {
        return;
    }
    for from in 0..4 {
        let mut bytes = LayerBuilder::default();
        for four in run.get(from..).unwrap_or_default().chunks(4) {
            // Each byte has bits of two letters: two, four or six of the first.
            for (two, left) in four.windows(2).zip([2, 4, 6]) {
                if let [(high, first), (low, last)] = two {
                    bytes.byte(high << left | low >> (6 - left), first.to(*last));
                }
            }
        }
        layers.push(layer.of_base64(bytes));
    }
}

fn six_bits(letter: char) -> Option<u8> {
    let byte = u8::try_from(letter).ok()?;
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::layer::LayerLetter;
    use super::*;
    use ::base64::Engine as _;
    use ::base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    #[test]
    fn it_is_read_in_both_alphabets_with_words_before_it_and_over_lines() {
        for secret in ["hunter2!", "hunter2?~", "?>?>?>\u{ff}"] {
            let (usual, other) = (STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret));
            let lines = usual.chars().flat_map(|letter| [letter, '\r', '\n']).collect();
            for text in
                [format!("b {usual}"), format!("as {other}!"), format!("you {usual}"), format!("said {other}."), lines]
            {
                let read: Vec<String> = decoded(&Layer::of(&text))
                    .iter()
                    .map(|layer| layer.letters().iter().map(LayerLetter::read).collect())
                    .collect();
                assert!(read.iter().any(|bytes| bytes.contains(secret)), "{text}: {read:?}");
            }
        }
    }
}
