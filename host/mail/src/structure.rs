//! The leaf parts of a message (RFC 2045, RFC 2046), found in one pass over its lines however deep they lie. An
//! attached message is a leaf: what it holds is its own. Linear in the bytes, and bounded ([`bounds`]).

use super::bounds::{self, BOUNDARY_BYTES, Cuts, DEPTH, LABEL_BYTES, PARAMETER_BYTES, PARTS};
use super::fields::{self, HeaderSection, RawLine};
use super::parameters::ParametrizedValue;
use super::transfer::TransferEncoding;
use super::{charset, encoded_word};
use postigo_model::text::beginning;
use std::collections::HashMap;
use std::ops::Range;

/// A leaf part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// The media type in lower case, without parameters: `text/plain`.
    pub media_type: String,
    /// The charset parameter.
    pub charset: Option<String>,
    /// How its bytes are encoded.
    pub encoding: TransferEncoding,
    /// Content-Disposition, if there is one.
    pub disposition: Option<Disposition>,
    /// The decoded file name; empty where there is none.
    pub file_name: String,
    /// The file name's bytes, where nothing says their charset: until that of the mail's text is known.
    unlabelled_name: Option<Vec<u8>>,
    /// Content-ID without its angle brackets; empty where there is none.
    pub content_id: String,
    /// Where its encoded bytes lie in the raw message.
    pub range: Range<usize>,
    /// The multipart that it lies in; none where it is the message.
    pub place: Option<Place>,
}

/// Where in a multipart something lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which multipart, by its place among those of the message.
    pub multipart: usize,
    /// Which of its parts, from 1 on.
    pub part: usize,
}

/// A multipart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multipart {
    /// What its parts are to one another.
    pub kind: MultipartKind,
    /// The multipart that it lies in; none where it is the message.
    pub place: Option<Place>,
}

/// What the parts of a multipart are to one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultipartKind {
    /// One after the other: multipart/mixed, and what is not known (RFC 2046 section 5.1.7).
    Mixed,
    /// The same in several forms: multipart/alternative.
    Alternative,
    /// The first is what is meant, the others belong to it: multipart/related, multipart/report and the like.
    Related,
}

/// What a message is made of.
#[derive(Debug, Default)]
pub struct Structure {
    /// The leaf parts.
    pub parts: Vec<Part>,
    /// The multiparts, the outer ones first.
    pub multiparts: Vec<Multipart>,
    /// What of the parts is not read.
    pub cuts: Cuts,
}

/// How a part wants to be shown (RFC 2183).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// In the body.
    Inline,
    /// Beside it; unknown dispositions count as this one.
    Attachment,
}

/// What the header of an entity says of it.
struct Entity {
    part: Part,
    boundary: Option<Vec<u8>>,
}

/// A multipart that is open.
struct OpenMultipart {
    boundary: Vec<u8>,
    /// The depth of an outer multipart with the same boundary, hidden by this one.
    hidden: Option<usize>,
    /// Its place among all.
    index: usize,
    default_type: &'static str,
    parts: usize,
}

/// The structure of a message with this header.
pub fn read(raw: &[u8], header: &HeaderSection) -> Structure {
    let mut walk = StructureWalk { raw, ..StructureWalk::default() };
    let entity = walk.entity(header, "text/plain");
    walk.enter(entity, header.body);
    walk.lines(header.body);
    walk.label_names();
    Structure { parts: walk.leaves, multiparts: walk.multiparts, cuts: walk.cuts }
}

#[derive(Default)]
struct StructureWalk<'a> {
    raw: &'a [u8],
    stack: Vec<OpenMultipart>,
    multiparts: Vec<Multipart>,
    depth_of: HashMap<Vec<u8>, usize>,
    /// The leaf that is being read, and whether it is what stands before the first part of a multipart.
    current: Option<(Part, bool)>,
    leaves: Vec<Part>,
    /// Multiparts that lie too deep.
    too_deep: usize,
    cuts: Cuts,
}

impl StructureWalk<'_> {
    /// Begins an entity whose body begins at `start`.
    fn enter(&mut self, entity: Entity, start: usize) {
        let mut part = entity.part;
        part.place = self.stack.last().map(|multipart| Place { multipart: multipart.index, part: multipart.parts });
        part.range = start..start;
        let is_multipart = part.media_type.starts_with("multipart/");
        let boundary = entity.boundary.filter(|_| is_multipart);
        let is_too_deep = boundary.is_some() && self.stack.len() >= DEPTH;
        self.too_deep += usize::from(is_too_deep);
        match boundary.filter(|_| !is_too_deep) {
            Some(boundary) => {
                self.open(boundary, &part);
                self.current = Some((Part { media_type: "text/plain".into(), ..part }, true));
            }
            None if is_multipart => self.current = Some((Part { media_type: "text/plain".into(), ..part }, false)),
            None => self.current = Some((part, false)),
        }
    }

    fn open(&mut self, boundary: Vec<u8>, part: &Part) {
        let depth = self.stack.len();
        let hidden = self.depth_of.insert(boundary.clone(), depth);
        let kind = match part.media_type.as_str() {
            "multipart/alternative" => MultipartKind::Alternative,
            "multipart/related" | "multipart/report" | "multipart/digest" | "multipart/encrypted" => {
                MultipartKind::Related
            }
            _ => MultipartKind::Mixed,
        };
        let default_type = if part.media_type == "multipart/digest" { "message/rfc822" } else { "text/plain" };
        self.stack.push(OpenMultipart { boundary, hidden, index: self.multiparts.len(), default_type, parts: 0 });
        self.multiparts.push(Multipart { kind, place: part.place });
    }

    /// Closes all multiparts from `depth` on.
    fn close(&mut self, depth: usize) {
        while self.stack.len() > depth {
            let Some(multipart) = self.stack.pop() else { return };
            match multipart.hidden {
                Some(outer) => self.depth_of.insert(multipart.boundary, outer),
                None => self.depth_of.remove(&multipart.boundary),
            };
        }
    }

    /// Looks at the lines from `position` on.
    fn lines(&mut self, mut position: usize) {
        let finder = memchr::memmem::Finder::new(b"\n--");
        while position < self.raw.len() && !self.stack.is_empty() {
            if self.leaves.len() + 1 >= PARTS && self.current.is_some() {
                self.cuts.tell(|| {
                    format!("The mail has {PARTS} parts or more: the last one that is read has all that follows.")
                });
                break;
            }
            let rest = self.raw.get(position..).unwrap_or_default();
            if !rest.starts_with(b"--") {
                let Some(offset) = finder.find(rest) else { break };
                position += offset + 1;
            }
            let line = RawLine::at(self.raw, position);
            let Some((depth, last)) = self.delimiter(self.raw.get(position..line.end).unwrap_or_default()) else {
                position = line.next;
                continue;
            };
            self.finish(position, Some(depth));
            self.close(if last { depth } else { depth + 1 });
            position = if last { line.next } else { self.part(depth, line.next) };
        }
        self.finish(self.raw.len(), None);
        if self.too_deep > 0 {
            self.cuts.tell(|| {
                format!(
                    "The mail's parts lie more than {DEPTH} deep in one another: those that do are not taken apart."
                )
            });
        }
    }

    /// Begins the part that follows a delimiter; where its body begins.
    fn part(&mut self, depth: usize, start: usize) -> usize {
        let default_type = self.stack.get_mut(depth).map_or("text/plain", |multipart| {
            multipart.parts += 1;
            multipart.default_type
        });
        let header = fields::split(self.raw, start);
        let entity = self.entity(&header, default_type);
        self.enter(entity, header.body);
        header.body
    }

    /// The depth of the multipart that a line delimits, and whether it is the last delimiter.
    fn delimiter(&self, line: &[u8]) -> Option<(usize, bool)> {
        let candidate = line.get(2..)?.trim_ascii_end();
        if candidate.len() > BOUNDARY_BYTES + 2 {
            return None;
        }
        if let Some(depth) = self.depth_of.get(candidate) {
            return Some((*depth, false));
        }
        self.depth_of.get(candidate.strip_suffix(b"--")?.trim_ascii_end()).map(|depth| (*depth, true))
    }

    /// Ends the leaf that is being read, before a delimiter of the multipart at a depth, or at the end of the message.
    /// What stands before the first part of a multipart is a leaf only where that multipart never had a part.
    fn finish(&mut self, end: usize, delimited: Option<usize>) {
        let Some((mut part, preamble)) = self.current.take() else { return };
        if preamble && delimited.is_some_and(|depth| depth + 1 == self.stack.len()) {
            return;
        }
        let start = part.range.start.min(end);
        let mut content = self.raw.get(start..end).unwrap_or_default();
        if delimited.is_some() {
            // The line break before a delimiter is the delimiter's (RFC 2046 section 5.1.1).
            content = content.strip_suffix(b"\n").unwrap_or(content);
            content = content.strip_suffix(b"\r").unwrap_or(content);
        }
        if preamble && content.trim_ascii().is_empty() {
            return;
        }
        part.range = start..start + content.len();
        self.leaves.push(part);
    }

    /// What a header says of its entity.
    fn entity(&mut self, header: &HeaderSection, default_type: &str) -> Entity {
        let mut part = Part { media_type: default_type.to_owned(), ..Part::default() };
        let mut boundary = None;
        let (mut name, mut file_name) = (FileName::default(), FileName::default());
        let mut typed = false;
        if !self.stack.is_empty() {
            self.cuts.fields("A part's header", header.left);
        }
        for field in &header.fields {
            let Some(field_name) = self.raw.get(field.name.clone()).filter(|name| is_content(name)) else { continue };
            let value = fields::unfold(self.raw.get(field.value.clone()).unwrap_or_default());
            let kind = field_name.get(8..).unwrap_or_default().to_ascii_lowercase();
            if let Some(whole) = field.whole.filter(|_| !self.stack.is_empty()) {
                self.cuts.value(
                    &format!("{} of a part", String::from_utf8_lossy(field_name)),
                    whole,
                    field.value.len(),
                );
            }
            match kind.as_slice() {
                b"type" if !typed => {
                    typed = true;
                    let content = ParametrizedValue::read(&value, &["charset", "boundary", "name"]);
                    part.media_type = media_type(&content.value);
                    part.charset = content.text("charset", None).filter(|label| label.len() <= LABEL_BYTES);
                    boundary = content.raw("boundary").map(|text| text.trim_ascii_end().to_vec());
                    name = FileName::read(&content, "name");
                    self.pieces("Content-Type", content.cut);
                }
                b"transfer-encoding" => part.encoding = TransferEncoding::by_name(&String::from_utf8_lossy(&value)),
                b"disposition" if part.disposition.is_none() => {
                    let content = ParametrizedValue::read(&value, &["filename"]);
                    let inline = content.value.eq_ignore_ascii_case("inline");
                    part.disposition = Some(if inline { Disposition::Inline } else { Disposition::Attachment });
                    file_name = FileName::read(&content, "filename");
                    self.pieces("Content-Disposition", content.cut);
                }
                b"id" => {
                    let id = charset::decode(value, None);
                    beginning(id.trim_matches(['<', '>', ' ']), PARAMETER_BYTES).clone_into(&mut part.content_id);
                }
                _ => {}
            }
        }
        let named = if file_name.text.is_empty() { name } else { file_name };
        (part.file_name, part.unlabelled_name) = (bare_name(named.text), named.unlabelled);
        Entity { part, boundary: boundary.filter(|boundary| !boundary.is_empty() && boundary.len() <= BOUNDARY_BYTES) }
    }

    /// Reads names in the charset of the mail's text where they do not say theirs, and none was needed to read them.
    fn label_names(&mut self) {
        if self.leaves.iter().all(|part| part.unlabelled_name.is_none()) {
            return;
        }
        let texts = self.leaves.iter().filter(|part| part.media_type.starts_with("text/"));
        let charset = texts.into_iter().find_map(|part| part.charset.clone());
        for part in &mut self.leaves {
            if let Some(name) = part.unlabelled_name.take() {
                let name = encoded_word::decode(&name, charset.as_deref());
                part.file_name = bare_name(beginning(&name, PARAMETER_BYTES).to_owned());
            }
        }
    }

    /// Tells that a field has more pieces of parameters than are read.
    fn pieces(&mut self, name: &str, cut: bool) {
        if cut {
            self.cuts.tell(|| {
                format!(
                    "{name} has more than {} parameters or pieces of them: the others are not read.",
                    bounds::PIECES
                )
            });
        }
    }
}

/// A file name on one line, without the folder of the machine that it comes from (RFC 2183 section 2.3) and without the
/// apostrophes that some programs take for quotes.
fn bare_name(name: String) -> String {
    let name = encoded_word::on_one_line(name);
    let is_path = name.starts_with('/')
        || name.starts_with("\\\\")
        || name.starts_with("..")
        || name.get(1..3).is_some_and(|after| after == ":\\" || after == ":/");
    let bare = if is_path { name.rsplit(['/', '\\']).next().unwrap_or_default() } else { &name };
    let bare = bare.strip_prefix('\'').and_then(|bare| bare.strip_suffix('\'')).unwrap_or(bare);
    if bare.len() == name.len() { name } else { bare.to_owned() }
}

/// A part's file name.
#[derive(Default)]
struct FileName {
    text: String,
    /// Its bytes, where nothing says their charset.
    unlabelled: Option<Vec<u8>>,
}

impl FileName {
    fn read(content: &ParametrizedValue<'_>, parameter: &str) -> Self {
        let unlabelled = content.raw(parameter).filter(|_| content.needs_charset(parameter));
        Self { text: content.text(parameter, None).unwrap_or_default(), unlabelled }
    }
}

fn is_content(name: &[u8]) -> bool {
    name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"))
}

fn media_type(value: &str) -> String {
    let proper = |word: &str| !word.is_empty() && word.len() <= 127 && word.bytes().all(|byte| byte.is_ascii_graphic());
    let (main, sub) = value.split_once('/').map_or((value, None), |(main, sub)| (main, Some(sub.trim())));
    match (main.trim(), sub) {
        (main, Some(sub)) if proper(main) && proper(sub) => format!("{main}/{sub}").to_ascii_lowercase(),
        (main, _) if main.is_empty() || main.eq_ignore_ascii_case("text") => "text/plain".to_owned(),
        _ => "application/octet-stream".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(raw: &[u8]) -> Vec<Part> {
        read(raw, &fields::split(raw, 0)).parts
    }

    fn contents(raw: &[u8]) -> Vec<(String, String)> {
        let text = |part: &Part| String::from_utf8_lossy(&raw[part.range.clone()]).into_owned();
        parts(raw).iter().map(|part| (part.media_type.clone(), text(part))).collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn multiparts_are_cut_at_their_own_boundaries_only() {
        let raw =
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\nContent-Type: multipart/alternative; boundary=b1\r\n\r\n\
            --b1\r\n\r\nplain --b\r\n--b2\r\n--b1\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b1--\r\nepilogue\r\n--b  \r\n\
            Content-Type: application/pdf; name=\"a.pdf\"\r\nContent-Disposition: attachment\r\n\r\n\r\n--b--\r\nepilogue";
        assert_eq!(
            contents(raw),
            owned(&[("text/plain", "plain --b\r\n--b2"), ("text/html", "<p>"), ("application/pdf", "")])
        );
        let place = |multipart, part| Some(Place { multipart, part });
        let places: Vec<_> = parts(raw).iter().map(|part| part.place).collect();
        assert_eq!(places, [place(1, 1), place(1, 2), place(0, 2)]);
        let multiparts = read(raw, &fields::split(raw, 0)).multiparts;
        let (mixed, alternative) = (MultipartKind::Mixed, MultipartKind::Alternative);
        assert_eq!(
            multiparts,
            [Multipart { kind: mixed, place: None }, Multipart { kind: alternative, place: place(0, 1) }]
        );
        assert_eq!(parts(raw)[2].file_name, "a.pdf");
    }

    #[test]
    fn a_missing_end_is_made_up_for() {
        let raw =
            b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: multipart/mixed; boundary=y\n\n--y\n\none\n--x\n\ntwo\n";
        assert_eq!(contents(raw), owned(&[("text/plain", "one"), ("text/plain", "two\n")]));
    }

    #[test]
    fn a_multipart_without_parts_is_text() {
        for header in ["boundary=never", "charset=utf-8", "boundary=\"\""] {
            let raw = format!("Content-Type: multipart/mixed; {header}\n\n--x\n\nwhatever\n");
            assert_eq!(contents(raw.as_bytes()), owned(&[("text/plain", "--x\n\nwhatever\n")]), "{header}");
        }
    }

    #[test]
    fn a_part_without_blank_line_ends_at_its_delimiter() {
        let raw = b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/html\n--x\nContent-ID: <a@b>\n\ntwo\n--x--\n";
        assert_eq!(contents(raw), owned(&[("text/html", ""), ("text/plain", "two")]));
        assert_eq!(parts(raw)[1].content_id, "a@b");
    }

    #[test]
    fn an_attached_message_is_one_leaf() {
        let raw =
            b"Content-Type: multipart/digest; boundary=x\n\n--x\n\nContent-Type: multipart/mixed; boundary=y\n\n--y\n\none\n--y--\n--x--\n";
        assert_eq!(
            contents(raw),
            owned(&[("message/rfc822", "Content-Type: multipart/mixed; boundary=y\n\n--y\n\none\n--y--")])
        );
    }

    #[test]
    fn what_lies_too_deep_is_not_taken_apart() {
        let open = |level| format!("Content-Type: multipart/mixed; boundary=\"b{level}\"\n\n--b{level}\n");
        let close = |level| format!("--b{level}\n\n--b{level}--\n");
        let lines: Vec<String> = (0..2 * DEPTH)
            .map(open)
            .chain(["\ndeep inside\n".to_owned()])
            .chain((0..2 * DEPTH).rev().map(close))
            .collect();
        let raw = lines.concat();
        let Structure { parts, cuts, .. } = read(raw.as_bytes(), &fields::split(raw.as_bytes(), 0));
        assert_eq!(parts.len(), 1 + DEPTH, "one that holds the rest, and the second of each multipart that was opened");
        assert!(raw[parts[0].range.clone()].contains("deep inside"));
        let told = "The mail's parts lie more than 100 deep in one another: those that do are not taken apart.";
        assert_eq!(cuts.into_sentences(), [told]);
    }

    #[test]
    fn of_too_many_parts_the_last_has_the_rest() {
        let raw = format!("Content-Type: multipart/mixed; boundary=x\n\n{}--x--\n", "--x\n\none\n".repeat(PARTS + 10));
        let Structure { parts, cuts, .. } = read(raw.as_bytes(), &fields::split(raw.as_bytes(), 0));
        assert_eq!(parts.len(), PARTS);
        assert_eq!(parts[PARTS - 1].range.end, raw.len());
        assert_eq!(
            cuts.into_sentences(),
            ["The mail has 2000 parts or more: the last one that is read has all that follows."]
        );
        let raw = format!("Content-Type: multipart/mixed; boundary=x\n\n{}--x--\n", "--x\n\none\n".repeat(PARTS - 1));
        let Structure { parts, cuts, .. } = read(raw.as_bytes(), &fields::split(raw.as_bytes(), 0));
        assert_eq!((parts.len(), cuts), (PARTS - 1, Cuts::default()));
    }

    #[test]
    fn pieces_of_a_parts_name_are_read_up_to_a_bound() {
        let pieces: String = (0..=bounds::PIECES).map(|number| format!(";\n filename*{number}=x")).collect();
        let raw = format!("Content-Disposition: attachment{pieces}\n\n");
        let Structure { parts, cuts, .. } = read(raw.as_bytes(), &fields::split(raw.as_bytes(), 0));
        assert_eq!(parts[0].file_name.len(), bounds::PIECES);
        assert_eq!(
            cuts.into_sentences(),
            ["Content-Disposition has more than 1000 parameters or pieces of them: the others are not read."]
        );
    }

    #[test]
    fn names_are_decoded() {
        let raw = b"Content-Type: application/x; name=other\nContent-Disposition: attachment; filename*0*=utf-8''Gr%C3%BC; filename*1*=%C3%9Fe\n\n";
        assert_eq!(parts(raw)[0].file_name, "Grüße");
    }

    #[test]
    fn names_have_no_folders_and_no_apostrophes() {
        for (name, expected) in [
            ("C:\\temp\\report.pdf", "report.pdf"),
            ("\\\\\\\\server\\share\\report.pdf", "report.pdf"),
            ("/tmp/report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("Offer 1/2.pdf", "Offer 1/2.pdf"),
            ("'report.pdf'", "report.pdf"),
            ("Jane's report.pdf", "Jane's report.pdf"),
            ("..pdf", "..pdf"),
        ] {
            let raw = format!("Content-Disposition: attachment; filename=\"{name}\"\n\n");
            assert_eq!(parts(raw.as_bytes())[0].file_name, expected, "{name}");
        }
    }

    #[test]
    fn a_boundary_may_end_with_blanks_and_the_semicolon_be_missing() {
        for header in ["multipart/mixed; boundary=\" b \"", "multipart/mixed boundary=\" b\""] {
            let raw = format!("Content-Type: {header}\n\n-- b\n\none\n-- b --\nepilogue\n");
            assert_eq!(contents(raw.as_bytes()), owned(&[("text/plain", "one")]), "{header}");
        }
    }

    #[test]
    fn names_that_are_not_encoded_are_in_the_charset_of_the_text() {
        let named = |charset: &str, name: &[u8]| {
            let header = format!(
                "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/plain; charset={charset}\n\nsee\n--x\n\
                 Content-Type: application/pdf\nContent-Disposition: attachment; filename=\""
            );
            let raw = [header.as_bytes(), name, b"\"\n\nx\n--x--\n"].concat();
            parts(&raw)[1].file_name.clone()
        };
        for (charset, name, expected) in [
            ("windows-1251", &b"\xd1\xf7\xb8\xf2.pdf"[..], "Счёт.pdf"),
            ("koi8-r", b"\xf3\xde\xc5\xd4.pdf", "Счет.pdf"),
            ("shift_jis", b"\x90\xbf\x8b\x81\x8f\x91.pdf", "請求書.pdf"),
            ("iso-8859-1", b"Gr\xfc\xdfe.pdf", "Grüße.pdf"),
            ("utf-8", b"Gr\xfc\xdfe.pdf", "Grüße.pdf"),
            ("iso-8859-1", "Grüße.pdf".as_bytes(), "Grüße.pdf"),
            ("iso-2022-jp", b"\x1b$B@A5a=q\x1b(B.pdf", "請求書.pdf"),
        ] {
            assert_eq!(named(charset, name), expected, "{charset} {name:?}");
        }
    }
}
