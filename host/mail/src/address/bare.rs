//! One address, out of what stands around it.

use crate::charset;

/// Whether this is one address, with something on both sides of its `@`, and stays one wherever it is written: what
/// separates addresses and words stands in quotes alone, which are closed, and colons besides in a domain literal (RFC
/// 5322 section 3.4.1). `a@x.test,b@x.test` in angle brackets is none, nor is what mail servers make of a group without
/// members: `undisclosed-recipients:@example.com`.
pub fn is_one(address: &str) -> bool {
    let Some(at) = address.rfind('@') else { return false };
    let domain = address.get(at + 1..).unwrap_or_default();
    let literal = domain.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let is_literal = literal.is_some_and(|inner| !inner.contains([']', '"']));
    let (mut quoted, mut at_is_plain) = (false, false);
    let mut characters = address.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '\\' if quoted => {
                characters.next();
            }
            '"' => quoted = !quoted,
            ',' | ';' | '(' | ' ' if !quoted => return false,
            ':' if !(quoted || is_literal && place > at) => return false,
            '@' if place == at => at_is_plain = !quoted,
            _ => {}
        }
    }
    !address.starts_with('@') && !domain.is_empty() && !quoted && at_is_plain
}

/// The address inside angle brackets: without white space, control characters, comments and the route of old. Nothing
/// where blanks stand within a word: of two words would be made one that nobody wrote.
pub fn bare(inner: &[u8], fallback: Option<&str>) -> String {
    let text = charset::decode_unencoded(inner, fallback);
    let route_ends = if text.trim_start().starts_with('@') { text.find(':').map_or(0, |colon| colon + 1) } else { 0 };
    let mut depth = 0_u32;
    let (mut quoted, mut escaped) = (false, false);
    let mut address = String::with_capacity(text.len());
    let mut gap = false; // whether blanks stand behind what was read
    let separates = |character: char| matches!(character, '.' | '@') || is_quote(character) || character == '"';
    for character in text.get(route_ends..).unwrap_or_default().chars() {
        let is_escaped = std::mem::replace(&mut escaped, false);
        match character {
            _ if is_escaped => {}
            '\\' => escaped = quoted || depth > 0,
            '"' if depth == 0 => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted && depth > 0 => {
                depth -= 1;
                continue;
            }
            _ => {}
        }
        let blank = character.is_whitespace() && !(quoted && character == ' ');
        gap |= blank;
        let is_junk = character.is_control() || matches!(character, '<' | '>' | '\u{FEFF}');
        if depth == 0 && !blank && !is_junk {
            if gap && !separates(character) && address.chars().next_back().is_some_and(|last| !separates(last)) {
                return String::new();
            }
            gap = false;
            address.push(character);
        }
    }
    address
}

/// Takes off what mail programs write around an address and is no part of it: apostrophes and other quotes, in pairs or
/// where the domain ends, which has none; `mailto:` and `smtp:`; commas, semicolons and square brackets that were meant
/// for somebody else. An apostrophe at the beginning alone may be a local part's own. Nothing is left of what is wrapped
/// deeper than anybody means.
pub fn without_wrapping(mut address: String) -> String {
    const SCHEMES: [&str; 2] = ["mailto:", "smtp:"];
    for _ in 0..5 {
        let before = address.len();
        let is_literal = address.rsplit_once('@').is_some_and(|(_, domain)| domain.starts_with('['));
        let last = address.chars().next_back().filter(|last| is_quote(*last) || *last == '"');
        let closes = |character: char| {
            is_quote(character) || matches!(character, '"' | ',' | ';' | ':') || character == ']' && !is_literal
        };
        address.truncate(address.trim_end_matches(closes).len());
        let opens = |character: char| last.is_some_and(|last| is_quote(character) && last != '"' || character == last);
        let opened = address.len() - address.trim_start_matches(opens).len();
        let bracket = usize::from(address.get(opened..).is_some_and(|rest| rest.starts_with('[')));
        let scheme = SCHEMES.iter().find(|scheme| {
            let start = address.as_bytes().get(opened + bracket..).and_then(|rest| rest.get(..scheme.len()));
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
        });
        address.drain(..opened + bracket + scheme.map_or(0, |scheme| scheme.len()));
        // What a link to an address may have besides.
        if scheme.is_some()
            && let Some(query) = address.find('?')
        {
            address.truncate(query);
        }
        if address.len() == before {
            return address;
        }
    }
    String::new()
}

/// Whether it is a quote of some language, and not the one of RFC 5322.
fn is_quote(character: char) -> bool {
    matches!(character, '\'' | '`' | '´' | '‘' | '’' | '‚' | '‛' | '“' | '”' | '„' | '«' | '»' | '‹' | '›' | '\u{2032}')
}
