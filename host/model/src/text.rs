//! Texts made to fit where they stand.

/// The longest beginning of a text that has at most so many bytes and ends between two characters.
pub fn beginning(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// A text on one line: every run of line breaks and other control characters, with the blanks around it, is one blank.
pub fn on_one_line(text: &str) -> String {
    let breaks = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    text.split(breaks).map(str::trim).filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether a terminal obeys the character instead of showing it: control characters, those that embed, override and
/// isolate writing directions (Unicode Standard Annex 9, section 2), line and paragraph separators, and the invisible
/// tags and annotations. The marks that right-to-left text needs (U+200E, U+200F, U+061C) turn nothing around and stay.
pub fn is_obeyed(character: char) -> bool {
    let turns = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(character, '\u{2028}' | '\u{2029}');
    let hides = matches!(character, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    character.is_control() || turns || breaks || hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_ends_between_characters() {
        assert_eq!(beginning("aé", 2), "a");
        assert_eq!(beginning("aé", 3), "aé");
        assert_eq!(beginning("aé", 9), "aé");
        assert_eq!(beginning("é", 0), "");
    }

    #[test]
    fn one_line_has_no_control_characters_and_no_blanks_for_them_at_its_ends() {
        assert_eq!(on_one_line("\r\n a\r\n\tb  c\u{2028}d\0"), "a b  c d");
        assert_eq!(on_one_line("\n \t"), "");
    }
}
