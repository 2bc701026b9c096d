//! HTML to text, as OTOBO's `ToAscii` does it where filters can tell: tags, comments and styles go, entities are
//! decoded, blanks run together, block elements break lines. Long lines stay long.
//!
//! Linear in the bytes, and of one price: signs that begin nothing are running text, which is cut nowhere else than
//! where a word ends, and nothing is set up anew (a searcher, a text of its own) for what may come at every second
//! byte.

use mail_parser::decoders::html::add_html_token;

/// So many bytes of an entity are looked at, between `&` and `;`: the longest name has 31, and numbers may begin with
/// zeros.
const ENTITY: usize = 40;
/// The longest of the names of elements that mean something here.
const LONGEST_NAME: usize = 10;

/// The text of an HTML document.
pub fn to_text(html: &str) -> String {
    // Text is hardly ever longer than its HTML; growing would take twice the memory.
    let mut text = HtmlText { out: String::with_capacity(html.len()), blank: false, decoded: String::new() };
    let bytes = html.as_bytes();
    let mut quotes = [true, true];
    let (mut begun, mut position) = (0, 0); // of the running text, and of what is looked at
    while let Some(start) = opening(bytes, position) {
        let markup = bytes.get(start..).unwrap_or_default();
        let Some(element) = Element::begun_by(markup) else {
            position = start + 1;
            continue;
        };
        text.words(html.get(begun..start).unwrap_or_default());
        position = start
            + match element {
                Element::Comment => comment_end(markup),
                _ => tag_end(markup, &mut quotes),
            };
        match element {
            Element::Hidden(name) => position = end_of_hidden(bytes, position, name),
            Element::Break => text.line_break(),
            Element::Block => text.new_line(),
            Element::Cell => text.blank = true, // cells are words of their own
            Element::Comment | Element::Other => {}
        }
        begun = position;
    }
    text.words(html.get(begun..).unwrap_or_default());
    let mut text = text.out;
    text.truncate(text.trim_end().len());
    text.shrink_to_fit();
    text
}

struct HtmlText {
    out: String,
    blank: bool,
    /// An entity, decoded; one memory for all of them.
    decoded: String,
}

impl HtmlText {
    /// Adds running text: blanks run together, entities are decoded.
    fn words(&mut self, source: &str) {
        let bytes = source.as_bytes();
        let (mut word, mut position) = (0, 0); // where a word begins, and what is looked at
        while let Some(byte) = bytes.get(position) {
            let (is_entity, length) = match byte {
                b'&' => (true, entity_length(bytes.get(position..).unwrap_or_default())),
                b'\t'..=b'\r' | b' ' | b'\0' => (false, 1),
                0xC2 | 0xE1..=0xE3 => (false, wide_blank_length(bytes.get(position..).unwrap_or_default())),
                _ => (false, 0),
            };
            if length == 0 {
                position += 1;
                continue;
            }
            self.word(source.get(word..position).unwrap_or_default());
            if is_entity {
                self.entity(source.get(position..position + length).unwrap_or_default());
            } else {
                self.blank = true;
            }
            position += length;
            word = position;
        }
        self.word(source.get(word..).unwrap_or_default());
    }

    /// Adds what stands for an entity: a character, or what came where there is none.
    fn entity(&mut self, entity: &str) {
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        add_html_token(&mut decoded, entity.as_bytes(), false);
        if decoded.starts_with(|first: char| first.is_whitespace() || first == '\0') {
            self.blank = true;
        } else {
            self.word(&decoded);
        }
        self.decoded = decoded;
    }

    /// Adds characters that are no blanks, a word or a piece of one.
    fn word(&mut self, word: &str) {
        if word.is_empty() {
            return;
        }
        if self.blank && !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push(' ');
        }
        self.blank = false;
        self.out.push_str(word);
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

/// What a `<` begins, and what that means for the text.
enum Element<'a> {
    Comment,
    /// Its content is not for readers; by its name.
    Hidden(&'a [u8]),
    Break,
    /// Begins and ends a line.
    Block,
    Cell,
    /// Every other tag, a declaration or an instruction.
    Other,
}

impl<'a> Element<'a> {
    /// What `markup` begins with; none where its `<` is running text.
    fn begun_by(markup: &'a [u8]) -> Option<Self> {
        let (is_closing, inner) = match markup {
            [b'<', b'!', b'-', b'-', ..] => return Some(Self::Comment),
            [b'<', b'!' | b'?', ..] => return Some(Self::Other),
            [b'<', b'/', inner @ ..] => (true, inner),
            [b'<', inner @ ..] => (false, inner),
            _ => return None,
        };
        if !inner.first().is_some_and(u8::is_ascii_alphabetic) {
            return None;
        }
        let mut lower = [0; LONGEST_NAME];
        let mut length = 0;
        for letter in inner.iter().take_while(|letter| letter.is_ascii_alphanumeric()) {
            let Some(place) = lower.get_mut(length) else { return Some(Self::Other) };
            *place = letter.to_ascii_lowercase();
            length += 1;
        }
        Some(match lower.get(..length).unwrap_or_default() {
            b"style" | b"script" | b"template" | b"title" | b"noframes" if !is_closing => {
                Self::Hidden(inner.get(..length).unwrap_or_default())
            }
            b"br" => Self::Break,
            b"p" | b"div" | b"li" | b"tr" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"ul" | b"ol"
            | b"table" | b"blockquote" | b"pre" | b"hr" | b"body" => Self::Block,
            b"td" | b"th" => Self::Cell,
            _ => Self::Other,
        })
    }
}

/// Where the next `<` is. A row of them is the worst case of a search, and is none here.
fn opening(bytes: &[u8], position: usize) -> Option<usize> {
    let rest = bytes.get(position..)?;
    if rest.first() == Some(&b'<') {
        Some(position)
    } else {
        memchr::memchr(b'<', rest).map(|offset| position + offset)
    }
}

/// How long the blank beyond ASCII is that a text begins with, in UTF-8; 0 where it begins with none.
fn wide_blank_length(text: &[u8]) -> usize {
    match text {
        [0xC2, 0x85 | 0xA0, ..] => 2,
        [0xE1, 0x9A, 0x80, ..]
        | [0xE2, 0x80, 0x80..=0x8A | 0xA8 | 0xA9 | 0xAF, ..]
        | [0xE2, 0x81, 0x9F, ..]
        | [0xE3, 0x80, 0x80, ..] => 3,
        _ => 0,
    }
}

/// How long the entity is that a text begins with; 0 where it begins with none, or with one that stands for itself.
fn entity_length(text: &[u8]) -> usize {
    let is_of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'#';
    let name = text.iter().skip(1).take(ENTITY).take_while(is_of_name).count();
    if name > 0 && text.get(name + 1) == Some(&b';') { name + 2 } else { 0 }
}

/// Where a comment ends: with the document, if nowhere before.
fn comment_end(markup: &[u8]) -> usize {
    let begins = "<!--".len();
    let ends = markup.get(begins..).and_then(|inner| inner.windows(3).position(|three| three == b"-->"));
    ends.map_or(markup.len(), |end| begins + end + 3)
}

/// Where a tag ends, `>` in quoted attributes passed over. `quotes` tells for `"` and `'` whether one may still follow.
fn tag_end(markup: &[u8], quotes: &mut [bool; 2]) -> usize {
    let mut position = 1;
    while let Some(byte) = markup.get(position) {
        position += 1;
        match byte {
            b'>' => return position,
            b'=' => {}
            _ => continue,
        }
        // Quotes mean something only after `=`, blanks between passed over: elsewhere they are typing errors.
        while markup.get(position).is_some_and(u8::is_ascii_whitespace) {
            position += 1;
        }
        let (quote, open) = match markup.get(position) {
            Some(b'"') => (b'"', quotes.get_mut(0)),
            Some(b'\'') => (b'\'', quotes.get_mut(1)),
            _ => continue,
        };
        position += 1;
        let Some(open) = open.filter(|open| **open) else { continue };
        match markup.get(position..).and_then(|rest| memchr::memchr(quote, rest)) {
            Some(length) => position += length + 1,
            None => *open = false,
        }
    }
    markup.len()
}

/// Where the closing tag of a hidden element begins, whose own tag ended at `position`; the document's end where there
/// is none.
fn end_of_hidden(bytes: &[u8], mut position: usize, name: &[u8]) -> usize {
    while let Some(offset) = bytes.get(position..).and_then(|rest| rest.iter().position(|byte| *byte == b'<')) {
        let start = position + offset;
        let is_of_name = |tag: &[u8]| tag.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name));
        if let Some([b'<', b'/', tag @ ..]) = bytes.get(start..)
            && is_of_name(tag)
        {
            return start;
        }
        position = start + 1;
    }
    bytes.len()
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
            // Signs that begin nothing are text.
            ("<<<a>b<", "<<b<"),
            ("a << b <3 </ c </1 <> d", "a << b <3 </ c </1 <> d"),
            ("&&&amp;&&;&#;&#&#65&#65;&##65;&#x;", "&&&&&;&#;&#&#65A&##65;&#x;"),
            ("&amp &lt;b&gt &unknown; &CounterClockwiseContourIntegral;", "&amp <b&gt &unknown; ∳"),
            (
                "&#00000000000000000000000000000000000065; &#0000000000000000000000000000000000000065;",
                "A &#0000000000000000000000000000000000000065;",
            ),
            ("&#0;a&#32;&#9;b&nbsp;&#xD800;&#x110000;", "a b ��"),
            ("a\u{2003}b\u{3000}\u{a0}c\u{85}d\u{200b}e\0f", "a b c d\u{200b}e f"),
            // Comments and tags that never end take the rest with them; ends of nothing do not.
            ("a<!--b<p>c", "a"),
            ("a<!-->b", "a"),
            ("a<!---->b<!----->c--><!-->-->d", "abc-->d"),
            ("a<p b", "a"),
            ("a<!x>b<?y>c</?z>d", "abc</?z>d"),
            // Quotes.
            ("<a b = \">\" c='>' d=>x e=\">f", "x e=\">f"),
            ("<a b='>c <a d='e'>f", "f"),
            ("<a b='>c<a d=\">\">e", "ce"),
            ("<a b\">c", "c"),
            ("<a b=='>'>c", "c"),
            // Names.
            ("a<P>b</P>c<BR/>d<brx>e<blockquotes>f<blockquote>g", "a\nb\nc\ndef\ng"),
            ("a<p1>b<h1>c<td>d</td>e<abcdefghijklmnopqrstuvwxyz>f", "ab\nc d ef"),
            ("a<title><p>b</TITLE>c</style>d<scripts>e<script><</<</ScRiPt>f", "acdef"),
            ("<br><br> a <br> <br>b <p><p> c<br>", "\n\na\n\nb\nc"),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
    }

    #[test]
    fn every_blank_is_one_and_nothing_else_is() {
        for character in
            (1..=char::MAX as u32).filter_map(char::from_u32).filter(|character| !"<&".contains(*character))
        {
            let expected = if character.is_whitespace() { "a b".to_owned() } else { format!("a{character}b") };
            assert_eq!(to_text(&format!("a{character}b")), expected, "{character:?}");
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
