//! Links: where they lead, and whether their text says so itself.

use super::entity::entity_length;
use mail_parser::decoders::html::add_html_token;

/// A link's address of more bytes is left out: nobody would find it in the text again.
pub const LONGEST_ADDRESS: usize = 2_000;

/// The value of an attribute, quotes taken off.
pub fn attribute<'t>(tag: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
    let mut position = 0;
    loop {
        let equals = position + memchr::memchr(b'=', tag.get(position..)?)?;
        let before = tag.get(position..equals).unwrap_or_default().trim_ascii_end();
        let is_it = before.len().checked_sub(name.len()).and_then(|start| before.split_at_checked(start)).is_some_and(
            |(other, found)| {
                found.eq_ignore_ascii_case(name)
                    && other.last().is_none_or(|last| last.is_ascii_whitespace() || matches!(last, b'"' | b'\'' | b'/'))
            },
        );
        let rest = tag.get(equals + 1..).unwrap_or_default();
        let value = rest.trim_ascii_start();
        let begins = equals + 1 + (rest.len() - value.len());
        let (value, ends) = match value {
            [quote @ (b'"' | b'\''), quoted @ ..] => match memchr::memchr(*quote, quoted) {
                Some(length) => (quoted.get(..length)?, begins + length + 2),
                None => (quoted, tag.len()),
            },
            value => {
                let length =
                    value.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'>').unwrap_or(value.len());
                (value.get(..length)?, begins + length)
            }
        };
        if is_it {
            return Some(value);
        }
        position = ends.max(equals + 1);
    }
}

/// Adds a link's address, decoded, without blanks; whether it is one that leads anywhere for a reader.
pub fn add_address(address: &mut String, value: &[u8]) -> bool {
    if value.len() > LONGEST_ADDRESS {
        return false;
    }
    let Ok(mut rest) = std::str::from_utf8(value) else { return false };
    while let Some(place) =
        rest.find(|character: char| character == '&' || character.is_whitespace() || character.is_control())
    {
        let (plain, after) = rest.split_at(place);
        address.push_str(plain);
        let length = entity_length(after.as_bytes());
        if length > 0 {
            add_html_token(address, after.as_bytes().get(..length).unwrap_or_default(), false);
        } else if after.starts_with('&') {
            address.push('&');
        }
        let next = if length > 0 { length } else { after.chars().next().map_or(0, char::len_utf8) };
        rest = after.get(next..).unwrap_or_default();
    }
    address.push_str(rest);
    address.retain(|character| !character.is_whitespace() && !character.is_control());
    let scheme = address.split_once(':').map(|(scheme, _)| scheme);
    let is_hidden = |scheme: &str| {
        ["javascript", "vbscript", "cid", "data", "about", "blob"]
            .iter()
            .any(|hidden| scheme.eq_ignore_ascii_case(hidden))
    };
    match scheme {
        Some(scheme) if scheme.starts_with(|first: char| first.is_ascii_alphabetic()) => !is_hidden(scheme),
        _ => address.starts_with("www.") || address.starts_with("//") || address.starts_with("\\\\"),
    }
}

/// Whether a link's text is the address that it leads to, but for what people leave out.
pub fn says(text: &str, address: &str) -> bool {
    let plain = |text: &str| -> (usize, usize) {
        let trimmed = text.trim();
        let mut begin = 0;
        for scheme in ["https://", "http://", "mailto:", "tel:", "//"] {
            if trimmed.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)) {
                begin = scheme.len();
                break;
            }
        }
        (begin, trimmed.trim_end_matches('/').len().max(begin))
    };
    let (text, address) = (text.trim(), address.trim());
    let ((text_begin, text_end), (begin, end)) = (plain(text), plain(address));
    match (text.get(text_begin..text_end), address.get(begin..end)) {
        (Some(text), Some(address)) => !text.is_empty() && text.eq_ignore_ascii_case(address),
        _ => false,
    }
}
