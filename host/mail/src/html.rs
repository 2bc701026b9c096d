//! HTML to text, as OTOBO's `ToAscii` does it where filters can tell: tags, comments and styles go, entities are
//! decoded, blanks run together, block elements break lines, preformatted text keeps its lines and blanks, and where a
//! link leads stands behind it, `here <https://example.com>`. Long lines stay long.
//!
//! Linear in the bytes, and of one price: signs that begin nothing are running text, which is cut nowhere else than
//! where a word ends, and nothing is set up anew (a searcher, a text of its own) for what may come at every second
//! byte.

mod entity;
mod link;

use entity::entity_length;
use link::{add_address, attribute, says};
use mail_parser::decoders::html::add_html_token;
use memchr::memmem::Finder;
use std::ops::Range;

/// The longest of the names of elements that mean something here.
const LONGEST_NAME: usize = 10;
/// The shortest tag that may say that it keeps lines is `<p style=white-space:pre>`.
const SHORTEST_STYLED: usize = 25;

/// The text of an HTML document.
pub fn to_text(html: &str) -> String {
    // Text is hardly ever longer than its HTML; growing would take twice the memory.
    let mut text = HtmlText { out: String::with_capacity(html.len()), ..HtmlText::default() };
    let bytes = html.as_bytes();
    let white_space = Finder::new(b"white-space");
    let mut styled = StyledElement::default();
    let mut quotes = [true, true];
    let (mut begun, mut position) = (0, 0); // of the running text, and of what is looked at
    while let Some(start) = opening(bytes, position) {
        let markup = bytes.get(start..).unwrap_or_default();
        let Some((element, name)) = Element::begun_by(markup) else {
            position = start + 1;
            continue;
        };
        text.running(html.get(begun..start).unwrap_or_default());
        let length = match element {
            Element::Comment => comment_end(markup),
            _ => tag_end(markup, &mut quotes),
        };
        position = start + length;
        let tag = markup.get(..length).unwrap_or_default();
        match element {
            Element::Hidden(name) => position = end_of_hidden(bytes, position, name),
            Element::Break => text.line_break(),
            Element::Block => text.new_line(),
            Element::Preformatted => text.preformatted(!name.is_closing),
            Element::Cell => text.blank = true, // cells are words of their own
            Element::Link => text.link(tag, name.is_closing),
            Element::Comment | Element::Other => {}
        }
        if styled.depth > 0 {
            styled.pass(&name, tag);
            text.keeps = styled.depth > 0;
        } else if length >= SHORTEST_STYLED && !name.is_closing && keeps_lines(tag, &white_space) {
            styled.begin(&name, tag);
            text.keeps = styled.depth > 0;
        }
        begun = position;
    }
    text.running(html.get(begun..).unwrap_or_default());
    text.end_link();
    let mut text = text.out;
    text.truncate(text.trim_end().len());
    text.shrink_to_fit();
    text
}

/// The charset that a `<meta>` in the beginning of a document names.
pub fn declared_charset(beginning: &[u8]) -> Option<&str> {
    let mut rest = beginning;
    loop {
        rest = rest.get(memchr::memchr(b'<', rest)? + 1..)?;
        if !rest.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"meta")) {
            continue;
        }
        let tag = rest.get(..tag_end(rest, &mut [true, true]))?;
        let place = tag.windows(7).position(|seven| seven.eq_ignore_ascii_case(b"charset"));
        let Some(value) = place.and_then(|place| tag.get(place + 7..)?.trim_ascii_start().strip_prefix(b"=")) else {
            continue;
        };
        let begins = |byte: &u8| !(byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\''));
        let label = value.get(value.iter().position(begins)?..)?;
        let length = label.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"-_.:".contains(byte)));
        let label = std::str::from_utf8(label.get(..length.unwrap_or(label.len()))?).ok()?;
        // Nobody could read that in UTF-16.
        return Some(label).filter(|label| !label.is_empty() && !label.to_ascii_lowercase().starts_with("utf-16"));
    }
}

#[derive(Default)]
struct HtmlText {
    out: String,
    blank: bool,
    /// An entity, decoded; one memory for all of them.
    decoded: String,
    /// So many elements of preformatted text are open.
    depth: u32,
    /// Whether the first line break of such an element may follow, which is none.
    begins: bool,
    /// Whether an element is open whose style keeps lines.
    keeps: bool,
    /// Where the text of the link that is open begins.
    link: Option<usize>,
    /// Where it leads to; one memory for all of them.
    address: String,
    /// The address that was written last, where no more than blanks followed it. Looking back for it would cost the
    /// blanks once a link.
    written: Option<Range<usize>>,
}

impl HtmlText {
    /// Adds what stands between two tags.
    fn running(&mut self, source: &str) {
        if self.depth > 0 || self.keeps { self.lines(source) } else { self.words(source) }
    }

    /// Adds preformatted text: lines and blanks are kept, entities are decoded.
    fn lines(&mut self, source: &str) {
        if source.contains(|letter: char| !letter.is_whitespace()) {
            self.written = None;
        }
        let mut rest = source;
        if std::mem::take(&mut self.begins) {
            rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')).unwrap_or(rest);
        }
        if !rest.is_empty() && std::mem::take(&mut self.blank) && !self.out.ends_with('\n') {
            self.out.push(' ');
        }
        while let Some(place) = memchr::memchr3(b'&', b'\r', b'\0', rest.as_bytes()) {
            let (plain, after) = rest.split_at(place);
            self.out.push_str(plain);
            let length = match after.as_bytes() {
                [b'&', ..] => entity_length(after.as_bytes()),
                _ => 0,
            };
            if length > 0 {
                self.kept_entity(after.get(..length).unwrap_or_default());
            } else {
                match after.as_bytes() {
                    [b'\r', b'\n', ..] => {}
                    [b'\r', ..] => self.out.push('\n'),
                    [b'\0', ..] => self.out.push(' '),
                    _ => self.out.push('&'),
                }
            }
            rest = after.get(length.max(1)..).unwrap_or_default();
        }
        self.out.push_str(rest);
    }

    /// Adds what stands for an entity in preformatted text.
    fn kept_entity(&mut self, entity: &str) {
        self.decoded.clear();
        add_html_token(&mut self.decoded, entity.as_bytes(), false);
        match self.decoded.as_str() {
            "\u{a0}" | "\0" => self.out.push(' '),
            "\r" => self.out.push('\n'),
            decoded => self.out.push_str(decoded),
        }
    }

    /// Begins or ends an element of preformatted text.
    fn preformatted(&mut self, begins: bool) {
        self.new_line();
        self.depth = if begins { self.depth.saturating_add(1) } else { self.depth.saturating_sub(1) };
        self.begins = begins;
    }

    /// Begins or ends a link; one that begins ends the one before.
    fn link(&mut self, tag: &[u8], is_closing: bool) {
        self.end_link();
        if is_closing {
            return;
        }
        let mut address = std::mem::take(&mut self.address);
        address.clear();
        if let Some(value) = attribute(tag, b"href")
            && add_address(&mut address, value)
        {
            self.link = Some(self.out.len());
        }
        self.address = address;
    }

    /// Adds where the link leads that is open, unless its text says that, or it is a further image of the same link.
    fn end_link(&mut self) {
        let Some(begun) = self.link.take() else { return };
        let address = std::mem::take(&mut self.address);
        let text = self.out.get(begun..).unwrap_or_default();
        let written = self.written.clone().and_then(|written| self.out.get(written));
        if !(says(text, &address) || text.trim().is_empty() && written == Some(address.as_str())) {
            self.blank = true;
            self.word("<");
            let begins = self.out.len();
            self.out.push_str(&address);
            self.written = Some(begins..self.out.len());
            self.out.push('>');
        }
        self.address = address;
    }

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
        self.written = None;
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

/// The element whose style keeps lines, and how many of its name are open since.
#[derive(Default)]
struct StyledElement {
    name: [u8; LONGEST_NAME],
    depth: u32,
}

impl StyledElement {
    fn begin(&mut self, name: &ElementName, tag: &[u8]) {
        if name.lower != [0; LONGEST_NAME] && !is_void(name, tag) {
            *self = Self { name: name.lower, depth: 1 };
        }
    }

    /// Counts a tag of the same name.
    fn pass(&mut self, name: &ElementName, tag: &[u8]) {
        if name.lower == self.name {
            self.depth = if name.is_closing { self.depth - 1 } else { self.depth + u32::from(!is_void(name, tag)) };
        }
    }
}

/// Whether an element has no content, so that nothing closes it.
fn is_void(name: &ElementName, tag: &[u8]) -> bool {
    tag.ends_with(b"/>")
        || [&b"br\0"[..], b"hr\0", b"img\0", b"meta\0", b"input\0", b"link\0"]
            .iter()
            .any(|void| name.lower.starts_with(void))
}

/// Whether a tag has a style that keeps lines: `white-space: pre`, `pre-wrap`, `pre-line`, `break-spaces`.
fn keeps_lines(tag: &[u8], white_space: &Finder<'_>) -> bool {
    let Some(place) = white_space.find(tag) else { return false };
    let value = tag.get(place + b"white-space".len()..).unwrap_or_default().trim_ascii_start();
    let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii_start();
    value.starts_with(b"pre") || value.starts_with(b"break-spaces")
}

/// The name of an element, as far as it may mean something, in small letters; zeros where it does not.
struct ElementName {
    lower: [u8; LONGEST_NAME],
    is_closing: bool,
}

/// What a `<` begins, and what that means for the text.
enum Element<'a> {
    Comment,
    /// Its content is not for readers; by its name.
    Hidden(&'a [u8]),
    Break,
    /// Begins and ends a line.
    Block,
    /// As a block, and what is in it keeps its lines.
    Preformatted,
    Cell,
    Link,
    /// Every other tag, a declaration or an instruction.
    Other,
}

impl<'a> Element<'a> {
    /// What `markup` begins with, and its name; none where its `<` is running text.
    fn begun_by(markup: &'a [u8]) -> Option<(Self, ElementName)> {
        let nameless = |element, is_closing| Some((element, ElementName { lower: [0; LONGEST_NAME], is_closing }));
        let (is_closing, inner) = match markup {
            [b'<', b'!', b'-', b'-', ..] => return nameless(Self::Comment, false),
            [b'<', b'!' | b'?', ..] => return nameless(Self::Other, false),
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
            let Some(place) = lower.get_mut(length) else { return nameless(Self::Other, is_closing) };
            *place = letter.to_ascii_lowercase();
            length += 1;
        }
        let element = match lower.get(..length).unwrap_or_default() {
            b"style" | b"script" | b"template" | b"title" | b"noframes" if !is_closing => {
                Self::Hidden(inner.get(..length).unwrap_or_default())
            }
            b"a" => Self::Link,
            b"br" => Self::Break,
            b"pre" | b"listing" | b"xmp" | b"textarea" => Self::Preformatted,
            b"p" | b"div" | b"li" | b"tr" | b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"ul" | b"ol"
            | b"table" | b"blockquote" | b"hr" | b"body" | b"dl" | b"dt" | b"dd" | b"section" | b"article"
            | b"aside" | b"header" | b"footer" | b"main" | b"nav" | b"address" | b"center" | b"figure"
            | b"figcaption" | b"caption" | b"form" | b"fieldset" | b"legend" | b"details" | b"summary" | b"option" => {
                Self::Block
            }
            b"td" | b"th" => Self::Cell,
            _ => Self::Other,
        };
        Some((element, ElementName { lower, is_closing }))
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
            ("a<section>b</section><article>c<header>d</header></article><dl><dt>e<dd>f</dl>", "a\nb\nc\nd\ne\nf"),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
    }

    #[test]
    fn preformatted_text_keeps_its_lines_and_blanks() {
        for (html, text) in [
            (
                "<p>Alarm:</p><pre>Host: db7\r\nStatus:  DOWN\n  Disk &lt; 5&nbsp;%</pre><p>Bye",
                "Alarm:\nHost: db7\nStatus:  DOWN\n  Disk < 5 %\nBye",
            ),
            ("<PRE class=x>\n  one\n\n  two\n</PRE >three\nfour", "  one\n\n  two\nthree four"),
            ("<pre>a<br>b <b>c</b>\n<span>d</span></pre>e", "a\nb c\nd\ne"),
            ("<pre>a<pre>b\nc</pre>d\ne</pre>f\ng", "a\nb\nc\nd\ne\nf g"),
            ("a</pre> b\nc", "a\nb c"),
            ("<pre>a & b &amp c &nope; \0 \r d", "a & b &amp c &nope;   \n d"),
            ("<textarea>a\nb</textarea><xmp>c\n  d</xmp>", "a\nb\nc\n  d"),
            (
                "<div style=\"font: x; white-space: pre-wrap\">a\n  b<div>c\nd</div>e\nf</div>g\nh",
                "a\n  b\nc\nd\ne\nf\ng h",
            ),
            ("<span style='white-space:pre'>a\tb</span> c\td", "a\tb c d"),
            ("<div style=\"white-space: normal; x: yyyyy\">a\nb</div>", "a b"),
            ("<br style=\"white-space: pre-wrap\"/>a\nb", "\na b"),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
    }

    #[test]
    fn a_links_address_stands_behind_it() {
        for (html, text) in [
            ("<p><a href=\"https://x.test/77\">Look</a>, please", "Look <https://x.test/77>, please"),
            ("<A title='href=no' HREF = 'https://x.test/?a=1&amp;b=2'>here</A>", "here <https://x.test/?a=1&b=2>"),
            ("<a href=https://x.test/7>here</a>", "here <https://x.test/7>"),
            ("<a href=\" https://x.test/\n7 \">here</a>", "here <https://x.test/7>"),
            ("see <a href=\"https://x.test\"><img src=y></a>!", "see <https://x.test>!"),
            ("<a href='x:y'><img></a><br><a href='x:y'><img></a> <a href='x:z'></a>", "<x:y>\n<x:z>"),
            ("<a href=\"mailto:jane@x.test?subject=z\">Jane</a>", "Jane <mailto:jane@x.test?subject=z>"),
            ("<a href=\"https://x.test/a\">a<a href='https://x.test/b'>b", "a <https://x.test/a>b <https://x.test/b>"),
            ("<a href=\"www.x.test\">here</a>", "here <www.x.test>"),
            ("<pre>a\n<a href='https://x.test'>b</a>\nc</pre>", "a\nb <https://x.test>\nc"),
            // Nothing that its text does not say.
            (
                "<a href=\"https://x.test/a\">https://x.test/a</a> <a href='http://www.x.test/'>www.X.test</a>",
                "https://x.test/a www.X.test",
            ),
            ("<a href=\"mailto:jane@x.test\">jane@x.test</a> <a href='tel:+49123'>+49123</a>", "jane@x.test +49123"),
            // Nothing that leads nowhere.
            (
                "<a href='#top'>a</a><a name=b>b</a><a>c</a><a href=''>d</a><a href='javascript:x()'>e</a><a href='cid:f'>f</a><a href='/g'>g</a>",
                "abcdefg",
            ),
            ("</a>a</a>", "a"),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
        let long = format!("<a href=\"https://x.test/{}\">a</a>", "x".repeat(link::LONGEST_ADDRESS));
        assert_eq!(to_text(&long), "a");
    }

    #[test]
    fn a_document_names_its_charset() {
        for (html, charset) in [
            ("<html><head><meta charset=koi8-r>", Some("koi8-r")),
            ("<META HTTP-EQUIV=x CONTENT=\"text/html; CharSet = 'iso-8859-2'\">", Some("iso-8859-2")),
            ("<meta name=x content=y><meta charset=\"utf-8\"/>", Some("utf-8")),
            ("<meta charset=utf-16>", None),
            ("<meta charset=>", None),
            ("<p>charset=koi8-r</p><metal charset", None),
            ("<meta", None),
            ("", None),
        ] {
            assert_eq!(declared_charset(html.as_bytes()), charset, "{html}");
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
        fn any_text_is_taken(
            html in "[<>/&;a-c \"'=!#x-]{0,80}|\\PC{0,60}|(<a href=|<pre>|</pre>|</a>|<p style='white-space: pre'>|x:|&amp;|[ \r\n\"'>a/]){0,30}",
        ) {
            to_text(&html);
        }
    }
}
