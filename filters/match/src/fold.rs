//! Folding of letter case: characters that a case-insensitive pattern takes for the same become the same.

/// Folds a character. All characters that are equal by Unicode's simple case folding have the same fold (`k`, `K` and
/// the Kelvin sign; `s`, `S` and `ſ`); some others may have it too, which a screen can bear.
pub fn fold(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    // Pairs that differ in no letter case of the standard library, but are equal by simple folding.
    match character {
        '\u{1fd3}' => return '\u{390}',
        '\u{1fe3}' => return '\u{3b0}',
        '\u{fb05}' => return '\u{fb06}',
        _ => {}
    }
    let upper = single(character.to_uppercase()).unwrap_or(character);
    single(upper.to_lowercase()).unwrap_or(upper)
}

/// Folds a text into a buffer, which is cleared first.
pub fn fold_into(text: &str, folded: &mut Vec<u8>) {
    folded.clear();
    folded.reserve(text.len());
    let mut room = [0; 4];
    for character in text.chars() {
        folded.extend_from_slice(fold(character).encode_utf8(&mut room).as_bytes());
    }
}

/// The only character of a mapping; none where one character becomes several.
fn single(mut mapping: impl Iterator<Item = char>) -> Option<char> {
    let only = mapping.next();
    if mapping.next().is_none() { only } else { None }
}

#[cfg(test)]
mod tests {
    use super::fold;
    use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

    #[test]
    fn folds_alike_whatever_a_pattern_takes_for_alike() {
        for character in '\0'..=char::MAX {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(character, character)]);
            class.case_fold_simple();
            for equal in class.iter().flat_map(|range| range.start()..=range.end()) {
                assert_eq!(fold(equal), fold(character), "{character:?} and {equal:?}");
            }
        }
    }

    #[test]
    fn keeps_letters_apart() {
        assert_ne!(fold('a'), fold('b'));
        assert_ne!(fold('ü'), fold('u'));
        assert_eq!(fold('É'), 'é');
        assert_eq!(fold('\u{212a}'), 'k');
        assert_eq!(fold('ſ'), 's');
    }
}
