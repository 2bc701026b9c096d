//! The text of a part: its bytes decoded.

use super::structure::Part;
use super::{charset, html};
use std::borrow::Cow;

/// In so many bytes of HTML its charset is looked for.
const HTML_HEAD: usize = 4 << 10;

/// The decoded text of a part. HTML without a charset of its own may name one in its head.
pub fn decode_text(raw: &[u8], part: &Part) -> String {
    let bytes = part.encoding.decode(raw.get(part.range.clone()).unwrap_or_default());
    decode_as(bytes, part)
}

/// The same of bytes of it whose transfer encoding is undone.
pub fn decode_as(bytes: Cow<'_, [u8]>, part: &Part) -> String {
    if part.media_type == "text/html"
        && charset::is_left_open(part.charset.as_deref())
        && let Some(label) = html::declared_charset(bytes.get(..HTML_HEAD).unwrap_or(&bytes)).map(str::to_owned)
        && std::str::from_utf8(&bytes).is_err()
    {
        return charset::decode(bytes, Some(&label));
    }
    charset::decode(bytes, part.charset.as_deref())
}

/// CRLF and CR become LF, NUL a blank; in place, since a text may be large.
pub fn with_line_feeds(text: String) -> String {
    if !text.contains(['\r', '\0']) {
        return text;
    }
    let mut bytes = text.into_bytes();
    let mut before = 0;
    bytes.retain(|byte| {
        let ends_crlf = before == b'\r' && *byte == b'\n';
        before = *byte;
        !ends_crlf
    });
    for byte in &mut bytes {
        match byte {
            b'\r' => *byte = b'\n',
            0 => *byte = b' ',
            _ => {}
        }
    }
    // Only whole ASCII characters were changed or left out.
    String::from_utf8(bytes).unwrap_or_default()
}
