//! HTML to text, as OTOBO's `ToAscii` does it where filters can tell: tags, comments and styles go, entities are decoded, blanks run
//! together, block elements break lines. Long lines stay long. Linear in the bytes.

use mail_parser::decoders::html::add_html_token;

/// Elements whose content is not for readers.
const HIDDEN: [&str; 5] = ["style", "script", "template", "title", "noframes"];
/// Elements that begin and end a line.
const BLOCK: [&str; 17] =
    ["p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre", "hr", "body"];

/// The text of an HTML document.
pub fn to_text(html: &str) -> String {
    // Text is hardly ever longer than its HTML; growing would take twice the memory.
    let mut text = Text { out: String::with_capacity(html.len()), blank: false };
    let mut quotes = [true, true];
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        text.words(before);
        if let Some(comment) = tag.strip_prefix("<!--") {
            rest = comment.find("-->").and_then(|end| comment.get(end + 3..)).unwrap_or_default();
            continue;
        }
        let Some(name) = tag_name(tag) else {
            text.words("<");
            rest = tag.get(1..).unwrap_or_default();
            continue;
        };
        let end = tag_end(tag, &mut quotes);
        rest = tag.get(end..).unwrap_or_default();
        let closing = tag.starts_with("</");
        if !closing && HIDDEN.contains(&name.as_str()) {
            rest = after_element(rest, &name);
        } else if name == "br" {
            text.line_break();
        } else if BLOCK.contains(&name.as_str()) {
            text.new_line();
        } else if matches!(name.as_str(), "td" | "th") {
            text.blank = true; // cells are words of their own
        }
    }
    text.words(rest);
    text.out.truncate(text.out.trim_end().len());
    text.out.shrink_to_fit();
    text.out
}

struct Text {
    out: String,
    blank: bool,
}

impl Text {
    /// Adds running text: blanks run together, entities are decoded.
    fn words(&mut self, source: &str) {
        let mut rest = source;
        while !rest.is_empty() {
            let plain = rest.find('&').unwrap_or(rest.len());
            let (before, entity) = rest.split_at(plain);
            self.push(before);
            let name = entity.bytes().skip(1).take(40).take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'#').count();
            let length = (entity.as_bytes().get(name + 1) == Some(&b';')).then_some(name + 2);
            match length.and_then(|length| entity.split_at_checked(length)) {
                Some((entity, after)) => {
                    let mut decoded = String::new();
                    add_html_token(&mut decoded, entity.as_bytes(), false);
                    self.push(&decoded);
                    rest = after;
                }
                None if entity.is_empty() => rest = "",
                None => {
                    self.push("&");
                    rest = entity.get(1..).unwrap_or_default();
                }
            }
        }
    }

    fn push(&mut self, text: &str) {
        for character in text.chars() {
            if character.is_whitespace() || character == '\0' {
                self.blank = true;
                continue;
            }
            if self.blank && !self.out.is_empty() && !self.out.ends_with('\n') {
                self.out.push(' ');
            }
            self.blank = false;
            self.out.push(character);
        }
    }

    /// Ends the line, if one has begun.
    fn new_line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        self.blank = false;
    }

    /// Ends the line, even an empty one.
    fn line_break(&mut self) {
        self.out.push('\n');
        self.blank = false;
    }
}

/// The element's name in lower case, if `<` begins a tag, a declaration or an instruction here.
fn tag_name(tag: &str) -> Option<String> {
    let inner = tag.get(1..)?;
    if inner.starts_with(['!', '?']) {
        return Some(String::new());
    }
    let inner = inner.strip_prefix('/').unwrap_or(inner);
    inner
        .starts_with(|first: char| first.is_ascii_alphabetic())
        .then(|| inner.chars().take(20).take_while(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect())
}

/// Where a tag ends, `>` in quoted attributes passed over. `quotes` tells for `"` and `'` whether one may still follow.
fn tag_end(tag: &str, quotes: &mut [bool; 2]) -> usize {
    let bytes = tag.as_bytes();
    let mut position = 1;
    let mut after_equals = false; // blanks between passed over
    while let Some(byte) = bytes.get(position) {
        let quote = match byte {
            b'>' => return position + 1,
            b'"' => quotes.get_mut(0),
            b'\'' => quotes.get_mut(1),
            _ => None,
        };
        position += 1;
        // Quotes mean something only after `=`: elsewhere they are typing errors.
        let in_attribute = after_equals;
        after_equals = *byte == b'=' || after_equals && byte.is_ascii_whitespace();
        if let Some(open) = quote.filter(|open| **open && in_attribute) {
            match bytes.get(position..).and_then(|rest| memchr::memchr(*byte, rest)) {
                Some(length) => position += length + 1,
                None => *open = false,
            }
        }
    }
    bytes.len()
}

/// What follows the closing tag of a hidden element.
fn after_element<'a>(rest: &'a str, name: &str) -> &'a str {
    let bytes = rest.as_bytes();
    let mut position = 0;
    while let Some(offset) = bytes.get(position..).and_then(|rest| memchr::memmem::find(rest, b"</")) {
        position += offset + 2;
        if bytes.get(position..position + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes())) {
            return rest.get(position - 2..).unwrap_or_default();
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn html_becomes_what_a_reader_sees() {
        for (html, text) in [
            (
                "<html><head><title>x</title><style type=\"text/css\">p { color: red }</style></head>\n<body><p>Total:\n   <b>40</b> &amp; more</p></body></html>",
                "Total: 40 & more",
            ),
            ("one<br>two<br/>three", "one\ntwo\nthree"),
            ("<div>a</div><div>b</div><ul><li>c<li>d</ul>", "a\nb\nc\nd"),
            ("a<!-- <p>no</p> -->b<!--[if mso]>no<![endif]-->c<![if !mso]>d", "abcd"),
            (
                "<a title=\"x > y\" href='#'>link</a> 1 < 2 & 3 > 2 &lt;b&gt; &#8364; &#x20AC; &nope; &nbsp; x",
                "link 1 < 2 & 3 > 2 <b> € € &nope; x",
            ),
            ("<SCRIPT>if (a < b) {}</SCRIPT >done", "done"),
            ("<style>never closed", ""),
            ("<table><tr><td>a</td><td>b</td></tr><tr><th>c<th>d</table>", "a b\nc d"),
            ("5 > 3 </p> <b", "5 > 3"),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn any_text_is_taken(html in "[<>/&;a-c \"'=!#x-]{0,80}|\\PC{0,60}") {
            to_text(&html);
        }
    }
}
