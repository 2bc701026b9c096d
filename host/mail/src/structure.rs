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
    /// Content-ID without its angle brackets; empty where there is none.
    pub content_id: String,
    /// Where its encoded bytes lie in the raw message.
    pub range: Range<usize>,
    /// Whether it lies directly in a multipart, and in one that is read as multipart/mixed.
    pub place: PartPlace,
    /// The outermost multipart/alternative around it, and which of its alternatives holds the part.
    pub alternative: Option<(usize, usize)>,
}

/// How a part wants to be shown (RFC 2183).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// In the body.
    Inline,
    /// Beside it; unknown dispositions count as this one.
    Attachment,
}

/// Where a part lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PartPlace {
    /// It is the message.
    #[default]
    Alone,
    /// Directly in a multipart/mixed, or in a multipart of a type that is not known.
    Mixed,
    /// In another multipart.
    Other,
}

/// What the header of an entity says of it.
struct Entity {
    part: Part,
    boundary: Option<Vec<u8>>,
}

/// A multipart that is open.
struct Multipart {
    boundary: Vec<u8>,
    /// The depth of an outer multipart with the same boundary, hidden by this one.
    hidden: Option<usize>,
    place: PartPlace,
    default_type: &'static str,
    /// The depth of the outermost multipart/alternative from here on outwards, and its number.
    alternative: Option<(usize, usize)>,
    parts: usize,
}

/// The leaves of a message with this header, and what of them is not read.
pub fn leaves(raw: &[u8], header: &HeaderSection) -> (Vec<Part>, Cuts) {
    let mut walk = StructureWalk { raw, ..StructureWalk::default() };
    let entity = walk.entity(header, "text/plain");
    walk.enter(entity, header.body);
    walk.lines(header.body);
    (walk.leaves, walk.cuts)
}

#[derive(Default)]
struct StructureWalk<'a> {
    raw: &'a [u8],
    stack: Vec<Multipart>,
    depth_of: HashMap<Vec<u8>, usize>,
    /// The leaf that is being read, and whether it is what stands before the first part of a multipart.
    current: Option<(Part, bool)>,
    alternatives: usize,
    leaves: Vec<Part>,
    /// Multiparts that lie too deep.
    too_deep: usize,
    cuts: Cuts,
}

impl StructureWalk<'_> {
    /// Begins an entity whose body begins at `start`.
    fn enter(&mut self, entity: Entity, start: usize) {
        let mut part = entity.part;
        let around = self.stack.last();
        part.place = around.map_or(PartPlace::Alone, |multipart| multipart.place);
        part.alternative = around.and_then(|multipart| {
            let (depth, number) = multipart.alternative?;
            Some((number, self.stack.get(depth)?.parts))
        });
        part.range = start..start;
        let is_multipart = part.media_type.starts_with("multipart/");
        let boundary = entity.boundary.filter(|_| is_multipart);
        let is_too_deep = boundary.is_some() && self.stack.len() >= DEPTH;
        self.too_deep += usize::from(is_too_deep);
        match boundary.filter(|_| !is_too_deep) {
            Some(boundary) => {
                self.open(boundary, &part.media_type);
                self.current = Some((Part { media_type: "text/plain".into(), ..part }, true));
            }
            None if is_multipart => self.current = Some((Part { media_type: "text/plain".into(), ..part }, false)),
            None => self.current = Some((part, false)),
        }
    }

    fn open(&mut self, boundary: Vec<u8>, media_type: &str) {
        let depth = self.stack.len();
        let alternative = self.stack.last().and_then(|multipart| multipart.alternative).or_else(|| {
            (media_type == "multipart/alternative").then(|| {
                self.alternatives += 1;
                (depth, self.alternatives)
            })
        });
        let hidden = self.depth_of.insert(boundary.clone(), depth);
        let place = match media_type {
            "multipart/alternative"
            | "multipart/related"
            | "multipart/report"
            | "multipart/digest"
            | "multipart/encrypted" => PartPlace::Other,
            _ => PartPlace::Mixed,
        };
        let default_type = if media_type == "multipart/digest" { "message/rfc822" } else { "text/plain" };
        self.stack.push(Multipart { boundary, hidden, place, default_type, alternative, parts: 0 });
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
        self.depth_of.get(candidate.strip_suffix(b"--")?).map(|depth| (*depth, true))
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
        let mut name = None;
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
                    part.charset = content.text("charset").filter(|label| label.len() <= LABEL_BYTES);
                    boundary = content.raw("boundary").map(|text| text.trim_ascii_end().to_vec());
                    name = content.text("name");
                    self.pieces("Content-Type", content.cut);
                }
                b"transfer-encoding" => part.encoding = TransferEncoding::by_name(&String::from_utf8_lossy(&value)),
                b"disposition" if part.disposition.is_none() => {
                    let content = ParametrizedValue::read(&value, &["filename"]);
                    let inline = content.value.eq_ignore_ascii_case("inline");
                    part.disposition = Some(if inline { Disposition::Inline } else { Disposition::Attachment });
                    part.file_name = content.text("filename").unwrap_or_default();
                    self.pieces("Content-Disposition", content.cut);
                }
                b"id" => {
                    let id = charset::decode(value, None);
                    beginning(id.trim_matches(['<', '>', ' ']), PARAMETER_BYTES).clone_into(&mut part.content_id);
                }
                _ => {}
            }
        }
        if part.file_name.is_empty() {
            part.file_name = name.unwrap_or_default();
        }
        part.file_name = encoded_word::on_one_line(part.file_name);
        Entity { part, boundary: boundary.filter(|boundary| !boundary.is_empty() && boundary.len() <= BOUNDARY_BYTES) }
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
        leaves(raw, &fields::split(raw, 0)).0
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
        let places: Vec<_> = parts(raw).iter().map(|part| (part.place, part.alternative)).collect();
        assert_eq!(
            places,
            [(PartPlace::Other, Some((1, 1))), (PartPlace::Other, Some((1, 2))), (PartPlace::Mixed, None)]
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
        let (parts, cuts) = leaves(raw.as_bytes(), &fields::split(raw.as_bytes(), 0));
        assert_eq!(parts.len(), 1 + DEPTH, "one that holds the rest, and the second of each multipart that was opened");
        assert!(raw[parts[0].range.clone()].contains("deep inside"));
        let told = "The mail's parts lie more than 100 deep in one another: those that do are not taken apart.";
        assert_eq!(cuts.into_sentences(), [told]);
    }

    #[test]
    fn of_too_many_parts_the_last_has_the_rest() {
        let raw = format!("Content-Type: multipart/mixed; boundary=x\n\n{}--x--\n", "--x\n\none\n".repeat(PARTS + 10));
        let (parts, cuts) = leaves(raw.as_bytes(), &fields::split(raw.as_bytes(), 0));
        assert_eq!(parts.len(), PARTS);
        assert_eq!(parts[PARTS - 1].range.end, raw.len());
        assert_eq!(
            cuts.into_sentences(),
            ["The mail has 2000 parts or more: the last one that is read has all that follows."]
        );
        let raw = format!("Content-Type: multipart/mixed; boundary=x\n\n{}--x--\n", "--x\n\none\n".repeat(PARTS - 1));
        let (parts, cuts) = leaves(raw.as_bytes(), &fields::split(raw.as_bytes(), 0));
        assert_eq!((parts.len(), cuts), (PARTS - 1, Cuts::default()));
    }

    #[test]
    fn pieces_of_a_parts_name_are_read_up_to_a_bound() {
        let pieces: String = (0..=bounds::PIECES).map(|number| format!(";\n filename*{number}=x")).collect();
        let raw = format!("Content-Disposition: attachment{pieces}\n\n");
        let (parts, cuts) = leaves(raw.as_bytes(), &fields::split(raw.as_bytes(), 0));
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
}
