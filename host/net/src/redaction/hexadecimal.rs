//! Bytes in hexadecimal digits, with whatever between them: `6875`, `68:75`, `0x68, 0x75`, `U+0068 U+0075`, a dump's
//! `6875 6e74`.

use super::layer::{LEAST, Layer, LayerBuilder, TextSpan};

/// What each run of digits in the layer stands for, from its first digit and from its second on: words before it may
/// end in such digits.
pub fn decoded(layer: &Layer) -> Vec<Layer> {
    let (mut layers, mut digits) = (Vec::new(), Vec::new());
    let mut letters = layer.letters().iter().peekable();
    // Where a mark began that belongs to the digits behind it.
    let mut mark: Option<TextSpan> = None;
    while let Some(letter) = letters.next() {
        let is_marked = letter.letter == '0' && letters.next_if(|next| matches!(next.letter, 'x' | 'X')).is_some();
        match letter.letter.to_digit(16).and_then(|digit| u8::try_from(digit).ok()) {
            _ if is_marked => mark = Some(letter.place),
            Some(digit) => digits.push((digit, mark.take().map_or(letter.place, |mark| mark.to(letter.place)))),
            None if matches!(letter.letter, 'x' | 'X' | 'u' | 'U') => mark = Some(letter.place),
            None if matches!(letter.letter, '+' | '{') => {}
            None if !letter.letter.is_alphanumeric() || matches!(letter.letter, 'h' | 'H') => mark = None,
            None => {
                end(layer, &mut digits, &mut layers);
                mark = None;
            }
        }
    }
    end(layer, &mut digits, &mut layers);
    layers
}

fn end(layer: &Layer, digits: &mut Vec<(u8, TextSpan)>, layers: &mut Vec<Layer>) {
    let digits = std::mem::take(digits);
    if digits.len() < LEAST * 2 {
        return;
    }
    for from in 0..2 {
        let mut bytes = LayerBuilder::default();
        for pair in digits.get(from..).unwrap_or_default().chunks_exact(2) {
            if let [(high, first), (low, last)] = pair {
                bytes.byte(high << 4 | low, first.to(*last));
            }
        }
        layers.push(layer.bytes(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::super::layer::LayerLetter;
    use super::*;

    #[test]
    fn digits_are_read_whatever_stands_between_them() {
        for text in [
            "68756e74",
            "68:75:6E:74",
            "68 75 6e 74",
            "0x68, 0x75, 0x6e, 0X74",
            "\\x68\\x75\\x6e\\x74",
            "68h 75h 6eh 74h",
            "said: 6875-6e74",
            "id=5 68756e74",
        ] {
            let read: Vec<String> = decoded(&Layer::of(text))
                .iter()
                .map(|layer| layer.letters().iter().map(LayerLetter::read).collect())
                .collect();
            assert!(read.iter().any(|bytes| bytes.ends_with("hunt")), "{text}: {read:?}");
        }
        assert!(decoded(&Layer::of("250 2.1.0 fine, added")).is_empty());
        let wide = decoded(&Layer::of("U+0068 U+0075")).remove(0);
        assert_eq!(wide.place(0..2), Some(0..13));
    }
}
