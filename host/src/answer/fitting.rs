//! Texts made to fit where they stand: on one line of a header, within HTML.

/// A text as it stands in HTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("<br>\n"),
            '\r' | '\0' => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// A text that can stand in a header: every run of control characters and blanks is one blank.
pub fn on_one_line(text: &str) -> String {
    let blanks = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
    text.split(blanks).map(str::trim).filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(" ")
}
