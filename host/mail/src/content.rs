//! What the parts of a message are for: which of them form the body, which are attachments, which are files (OTOBO's
//! rules, and where they hide what somebody wrote others; docs/mails.md has them).

mod role;

use super::bounds::Cuts;
use super::html;
use super::message_id::message_ids;
use super::part_text::{decode_text, with_line_feeds};
use super::structure::{Disposition, Part, Structure};
use super::transfer::TransferEncoding;
use super::{charset, encoded_word, fields};
use postigo_model::text::beginning;
use role::{Role, Roles, is_file, is_text, is_written};
use std::collections::HashSet;
use std::sync::OnceLock;

/// What stands for a body where a mail has no text.
pub const NO_TEXT: &str = "- no text message => see attachment -";

/// So many bytes of what HTML calls a part are looked at.
const LONGEST_ID: usize = 1_000;
/// In so many bytes of an attached message its subject is looked for, of which so many are its name.
const MESSAGE_HEAD: usize = 64 << 10;
const LONGEST_SUBJECT: usize = 200;

/// An attachment as the peer counts them: a part with a Content-Disposition that the mail's HTML does not show inline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The decoded file name; empty where there is none.
    pub name: String,
    /// The media type in lower case, without parameters.
    pub media_type: String,
    /// Size in bytes after transfer decoding.
    pub size: u64,
    /// Whether it wants to be shown in the body (`Content-Disposition: inline`).
    pub inline: bool,
    /// Content-ID without its angle brackets; empty where there is none.
    pub content_id: String,
}

/// The parts of a message, and what they are for.
#[derive(Debug)]
pub struct Content {
    parts: Vec<Part>,
    /// Indices of the parts that form the body.
    body: Vec<usize>,
    /// Index of the HTML body.
    html: Option<usize>,
    /// Indices of the attachments.
    attached: Vec<usize>,
    /// Indices of all that a reader of the article may want to open: the attachments, parts that never said they were
    /// some, and of the body what is a file besides, a table say.
    files: Vec<usize>,
    text: OnceLock<String>,
    html_text: OnceLock<String>,
    attachments: OnceLock<Vec<Attachment>>,
    decoded: Vec<OnceLock<Vec<u8>>>,
    cuts: Cuts,
}

impl Content {
    /// Sorts the parts of a message.
    pub fn new(raw: &[u8], structure: Structure) -> Self {
        let roles = Roles::of(raw, &structure);
        let Structure { parts, cuts, .. } = structure;
        let body: Vec<usize> = (0..parts.len()).filter(|index| roles.is(*index, Role::Body)).collect();
        let html = parts.iter().position(|part| part.media_type == "text/html" && !is_file(part));
        let shown = shown_inline(raw, &parts);
        let mut attached = Vec::new();
        let mut files = Vec::new();
        for (index, part) in parts.iter().enumerate().filter(|(_, part)| !shown.contains(part.content_id.as_str())) {
            let is_body = roles.is(index, Role::Body);
            if is_file(part) && !is_body {
                attached.push(index);
            }
            let is_meant_as_file = is_file(part) || !part.file_name.is_empty() || !is_written(part);
            if is_meant_as_file && !roles.is(index, Role::OtherForm)
                || roles.is(index, Role::Left) && html != Some(index)
            {
                files.push(index);
            }
        }
        let decoded = attached.iter().map(|_| OnceLock::new()).collect();
        Self {
            body,
            html,
            attached,
            files,
            decoded,
            parts,
            cuts,
            text: OnceLock::new(),
            html_text: OnceLock::new(),
            attachments: OnceLock::new(),
        }
    }

    /// The leaf parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// What of the parts is not read.
    pub fn cuts(&self) -> &Cuts {
        &self.cuts
    }

    /// How many attachments there are.
    pub fn attachment_count(&self) -> usize {
        self.attached.len()
    }

    /// The charset of the body's first part.
    pub fn charset(&self) -> Option<&str> {
        self.body.first().and_then(|index| self.parts.get(*index))?.charset.as_deref()
    }

    /// The body as text with LF line ends.
    pub fn text(&self, raw: &[u8]) -> &str {
        self.text.get_or_init(|| {
            let mut body = String::new();
            for (index, part) in self.body.iter().filter_map(|index| Some((*index, self.parts.get(*index)?))) {
                if !body.is_empty() && !body.ends_with('\n') {
                    body.push('\n');
                }
                let text = match part.media_type.as_str() {
                    // A filter may want it as it is: it is not decoded twice.
                    "text/html" if self.html == Some(index) => html::to_text(self.html(raw).unwrap_or_default()),
                    "text/html" => html::to_text(&decode_text(raw, part)),
                    _ => with_line_feeds(decode_text(raw, part)),
                };
                // The usual body is one part, which may be large.
                if body.is_empty() { body = text } else { body.push_str(&text) }
            }
            if self.body.is_empty() && !self.parts.is_empty() { NO_TEXT.to_owned() } else { body }
        })
    }

    /// The HTML body, decoded.
    pub fn html(&self, raw: &[u8]) -> Option<&str> {
        let part = self.parts.get(self.html?)?;
        Some(self.html_text.get_or_init(|| decode_text(raw, part)))
    }

    /// The attachments in their order.
    pub fn attachments(&self, raw: &[u8]) -> &[Attachment] {
        self.attachments.get_or_init(|| self.describe(raw, &self.attached))
    }

    /// The attachments, and parts that have no Content-Disposition but are files all the same: what an article lists.
    pub fn files(&self, raw: &[u8]) -> Vec<Attachment> {
        if self.files == self.attached { self.attachments(raw).to_vec() } else { self.describe(raw, &self.files) }
    }

    /// The decoded bytes of one of [`Self::files`].
    pub fn file_bytes(&self, raw: &[u8], index: usize) -> Option<Vec<u8>> {
        let part = self.parts.get(*self.files.get(index)?)?;
        Some(part.encoding.decode(raw.get(part.range.clone())?).into_owned())
    }

    fn describe(&self, raw: &[u8], indices: &[usize]) -> Vec<Attachment> {
        let describe = |part: &Part| Attachment {
            name: file_name(raw, part),
            media_type: part.media_type.clone(),
            size: part.encoding.decoded_size(raw.get(part.range.clone()).unwrap_or_default()) as u64,
            inline: part.disposition == Some(Disposition::Inline),
            content_id: part.content_id.clone(),
        };
        indices.iter().filter_map(|index| self.parts.get(*index)).map(describe).collect()
    }

    /// The decoded bytes of an attachment.
    pub fn attachment_bytes<'a>(&'a self, raw: &'a [u8], index: usize) -> Option<&'a [u8]> {
        let part = self.parts.get(*self.attached.get(index)?)?;
        let encoded = raw.get(part.range.clone())?;
        if part.encoding == TransferEncoding::Identity {
            return Some(encoded);
        }
        Some(self.decoded.get(index)?.get_or_init(|| part.encoding.decode(encoded).into_owned()))
    }
}

/// A part's file name; an attached message that has none is called by its subject, as the peer does.
fn file_name(raw: &[u8], part: &Part) -> String {
    if !part.file_name.is_empty() || part.media_type != "message/rfc822" {
        return part.file_name.clone();
    }
    let encoded = raw.get(part.range.clone()).unwrap_or_default();
    let message = part.encoding.decode(encoded.get(..MESSAGE_HEAD).unwrap_or(encoded));
    let Some(subject) = header_value(&message, b"subject") else { return String::new() };
    let subject = encoded_word::decode(&subject, None).replace(['/', '\\'], "-");
    let subject = beginning(subject.trim(), LONGEST_SUBJECT);
    if subject.is_empty() { String::new() } else { format!("{subject}.eml") }
}

/// The first value of a header, unfolded.
fn header_value(message: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let header = fields::split(message, 0);
    let is_it =
        |field: &&fields::Field| message.get(field.name.clone()).is_some_and(|found| found.eq_ignore_ascii_case(name));
    header.fields.iter().find(is_it).and_then(|field| Some(fields::unfold(message.get(field.value.clone())?)))
}

/// Those of the parts' Content-IDs that the mail's HTML shows.
fn shown_inline<'p>(raw: &[u8], parts: &'p [Part]) -> HashSet<&'p str> {
    let wanted = |part: &&Part| !part.content_id.is_empty() && (part.disposition.is_some() || !is_text(part));
    let ids: HashSet<&str> = parts.iter().filter(wanted).map(|part| part.content_id.as_str()).collect();
    let mut shown = HashSet::new();
    if ids.is_empty() {
        return shown;
    }
    for part in parts.iter().filter(|part| part.media_type == "text/html" && !is_file(part)) {
        let html = decode_text(raw, part);
        let mut position = 0;
        while let Some(colon) = html.get(position..).and_then(|rest| rest.find(':')) {
            let scheme = position + colon;
            position = scheme + 1;
            if !html
                .as_bytes()
                .get(scheme.saturating_sub(3)..scheme)
                .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"cid"))
            {
                continue;
            }
            // What it names ends where the attribute does; what is as long as this is no id.
            let rest = html.get(position..).unwrap_or_default();
            let named = beginning(rest, LONGEST_ID);
            let ends = |end: char| matches!(end, '"' | '\'' | '>' | '<' | ')') || end.is_whitespace();
            let length = named.find(ends).unwrap_or(named.len());
            let id = named.get(..length).unwrap_or_default().replace("%40", "@").replace("&amp;", "&");
            shown.extend(ids.get(id.as_str()));
            position += length;
        }
    }
    shown
}

/// The Message-ID in the header of an attached message.
pub fn attached_message_id(raw: &[u8], part: &Part) -> Option<String> {
    let message = part.encoding.decode(raw.get(part.range.clone())?);
    let value = charset::decode(header_value(&message, b"message-id")?, None);
    message_ids(&value).next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use crate::Message;

    fn message(raw: &str) -> Message {
        Message::parse(raw.replace('\n', "\r\n").into_bytes().into())
    }

    fn multipart(kind: &str, parts: &[&str]) -> String {
        let delimiter = format!("--{kind}\n");
        format!(
            "Content-Type: multipart/{kind}; boundary={kind}\n\n{delimiter}{}\n--{kind}--\n",
            parts.join(&format!("\n{delimiter}"))
        )
    }

    const PLAIN: &str = "Content-Type: text/plain\n\nplain";
    const HTML: &str = "Content-Type: text/html\n\n<p>fancy &amp; more";
    const FOOTER: &str = "Content-Disposition: inline\n\nfooter";
    const FILE: &str = "Content-Disposition: attachment; filename=a.txt\n\nsecret";
    const NAMED: &str = "Content-Type: text/plain; name=b.txt\n\nsecret";
    const PDF: &str =
        "Content-Type: application/pdf\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\nJVBERi0=";
    const SILENT: &str = "Content-Type: application/pdf; name=c.pdf\n\nx";
    const IMAGE: &str = "Content-Type: image/png\nContent-Disposition: inline; filename=l.png\nContent-ID: <l@x>\n\nx";
    const CALENDAR: &str = "Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR";
    const AMP: &str = "Content-Type: text/x-amp-html\n\n<html amp4email>";
    const ENRICHED: &str = "Content-Type: text/enriched\n\n<bold>x";
    const TABLE: &str = "Content-Type: text/csv\n\na;b";
    const CARD: &str = "Content-Type: text/vcard\n\nBEGIN:VCARD";
    const DELIVERY_STATUS: &str = "Content-Type: message/delivery-status\n\nAction: failed";
    const HEADERS: &str = "Content-Type: text/rfc822-headers\n\nSubject: x";
    const SHOWING: &str = "Content-Type: text/html\n\n<img src='cid:l@x'>see";
    const ATTACHED: &str = "Content-Type: message/rfc822\nContent-Disposition: attachment\n\nSubject: x\n\nsecret";

    #[test]
    fn the_body_is_the_first_text_and_what_follows_it_in_multipart_mixed() {
        for (raw, body) in [
            (multipart("mixed", &[PLAIN, FOOTER]), "plain\nfooter"),
            (multipart("mixed", &[PLAIN, FILE, NAMED, ATTACHED]), "plain"),
            (multipart("mixed", &[NAMED, PLAIN]), "plain"),
            (multipart("mixed", &[PDF, NAMED]), "secret"),
            (multipart("mixed", &[PDF, FILE, PLAIN]), "plain"),
            (multipart("mixed", &[PLAIN, HTML]), "plain\nfancy & more"),
            (multipart("alternative", &[PLAIN, HTML]), "plain"),
            (multipart("alternative", &[HTML, PLAIN]), "fancy & more"),
            (multipart("mixed", &[&multipart("alternative", &[PLAIN, HTML]), FOOTER]), "plain\nfooter"),
            (multipart("alternative", &[PLAIN, &multipart("mixed", &[HTML, PDF, HTML])]), "plain"),
            (multipart("related", &[SHOWING, IMAGE]), "see"),
            // Lists write before and behind what they pass on; Apple Mail puts files between texts.
            (
                multipart("mixed", &[PLAIN, &multipart("alternative", &[HTML, PLAIN]), FOOTER]),
                "plain\nfancy & more\nfooter",
            ),
            (
                multipart("mixed", &[PLAIN, &multipart("related", &[SHOWING, IMAGE, PLAIN]), FOOTER]),
                "plain\nsee\nfooter",
            ),
            (
                multipart(
                    "alternative",
                    &[&multipart("alternative", &[PLAIN, &multipart("related", &[SHOWING, IMAGE])]), CALENDAR],
                ),
                "plain",
            ),
            (multipart("report", &[PLAIN, DELIVERY_STATUS, HEADERS]), "plain"),
            (multipart("mixed", &[PDF]), super::NO_TEXT),
            (PDF.to_owned(), super::NO_TEXT),
            (FILE.to_owned(), "secret"),
            (String::new(), ""),
        ] {
            assert_eq!(message(&raw).text(), body, "{raw}");
        }
    }

    #[test]
    fn attachments_are_parts_with_a_disposition_that_the_html_does_not_show() {
        for (raw, count) in [
            (PLAIN.to_owned(), 0),
            (FILE.to_owned(), 0),
            (PDF.to_owned(), 1),
            (multipart("mixed", &[PLAIN, FOOTER, FILE, PDF, ATTACHED]), 3),
            (multipart("mixed", &[PLAIN, NAMED, SILENT]), 0),
            (multipart("mixed", &[PLAIN, IMAGE]), 1),
            (multipart("related", &[SHOWING, IMAGE]), 0),
            (multipart("mixed", &[&multipart("related", &[SHOWING, IMAGE]), FILE]), 1),
        ] {
            assert_eq!(message(&raw).attachment_count(), count, "{raw}");
            assert_eq!(message(&raw).attachments().len(), count, "{raw}");
        }
    }

    #[test]
    fn an_article_lists_files_that_never_said_they_were_attachments() {
        let message = message(&multipart(
            "mixed",
            &[&multipart("alternative", &[PLAIN, SHOWING]), IMAGE, NAMED, SILENT, PDF, ATTACHED],
        ));
        let names: Vec<_> = message.files().iter().map(|file| file.name.clone() + " " + &file.media_type).collect();
        assert_eq!(names, ["b.txt text/plain", "c.pdf application/pdf", " application/pdf", "x.eml message/rfc822"]);
    }

    #[test]
    fn a_text_without_a_visible_character_hides_none() {
        let blank = |text: &str| format!("Content-Type: text/plain; charset=utf-8\n\n{text}");
        let related = multipart("related", &[SHOWING, IMAGE]);
        for text in [
            "",
            "\n\n",
            " \t\n",
            "\u{a0}\n",
            "\u{200b}\u{feff}\u{2060}",
            "\u{3000}\u{ad}",
            "\u{200e}\u{202c}",
            "\u{fffc}",
        ] {
            let blank = blank(text);
            let spaces = blank.clone() + &" \n".repeat(super::role::BEGINNING);
            for (raw, body) in [
                (multipart("alternative", &[&blank, HTML]), "fancy & more"),
                (multipart("alternative", &[&spaces, HTML]), "fancy & more"),
                (multipart("alternative", &[&blank, &related]), "see"),
                (multipart("mixed", &[&multipart("alternative", &[&blank, HTML]), FOOTER]), "fancy & more\nfooter"),
                (multipart("related", &[&multipart("alternative", &[&blank, SHOWING]), IMAGE]), "see"),
                (multipart("mixed", &[&blank, HTML, PDF]), "fancy & more"),
                (multipart("related", &[&blank, SHOWING, IMAGE]), "see"),
                (
                    multipart("alternative", &[&blank, &multipart("mixed", &[HTML, PDF, HTML])]),
                    "fancy & more\nfancy & more",
                ),
                (multipart("alternative", &["Content-Type: text/html\n\n<p>&nbsp;<br></p>", PLAIN]), "plain"),
                (
                    multipart("alternative", &[&blank, "Content-Type: text/html\n\n<img src=x>", CALENDAR]),
                    "BEGIN:VCALENDAR",
                ),
                (multipart("mixed", &[&blank, PDF]), super::with_line_feeds(text.to_owned()).as_str()),
                (multipart("mixed", &[&blank, TABLE]), "a;b"),
            ] {
                assert_eq!(message(&raw).text(), body, "{text:?} {raw}");
            }
            let names: Vec<_> = message(&multipart("alternative", &[&blank, HTML])).files();
            assert_eq!(names, [], "{text:?} is no file");
        }
        let late = blank(&(" ".repeat(2 * super::role::BEGINNING) + "late"));
        assert!(message(&multipart("alternative", &[&late, HTML])).text().ends_with("  late"));
    }

    #[test]
    fn a_text_that_is_neither_body_nor_html_is_a_file() {
        let files = |raw: String| -> Vec<String> {
            message(&raw).files().iter().map(|file| format!("{} {}", file.media_type, file.size)).collect()
        };
        for (raw, expected) in [
            (multipart("alternative", &[PLAIN, HTML, CALENDAR]), &["text/calendar 15"][..]),
            (multipart("alternative", &[PLAIN, CALENDAR]), &["text/calendar 15"]),
            (multipart("mixed", &[&multipart("alternative", &[PLAIN, HTML]), CALENDAR]), &["text/calendar 15"]),
            (multipart("mixed", &[PLAIN, CARD, TABLE]), &["text/vcard 11", "text/csv 3"]),
            (multipart("mixed", &[TABLE, PLAIN]), &["text/csv 3"]),
            (
                multipart("report", &[PLAIN, DELIVERY_STATUS, HEADERS]),
                &["message/delivery-status 14", "text/rfc822-headers 10"],
            ),
            (multipart("related", &[SHOWING, IMAGE, PLAIN]), &["text/plain 5"]),
            // Other forms of the body are none.
            (multipart("alternative", &[PLAIN, AMP, HTML]), &[]),
            (multipart("alternative", &[PLAIN, ENRICHED, HTML]), &[]),
            (multipart("mixed", &[PLAIN, ENRICHED]), &["text/enriched 7"]),
            (multipart("alternative", &[ENRICHED, CALENDAR]), &["text/enriched 7", "text/calendar 15"]),
            (multipart("alternative", &[HTML, PLAIN]), &[]),
            (multipart("mixed", &[PLAIN, FOOTER, HTML]), &[]),
            // What is the body for want of another may be wanted as a file, too.
            (multipart("mixed", &[PDF, TABLE]), &["application/pdf 5", "text/csv 3"]),
            (CALENDAR.to_owned(), &["text/calendar 15"]),
            (TABLE.to_owned(), &["text/csv 3"]),
            (FILE.to_owned(), &["text/plain 6"]),
            (PDF.to_owned(), &["application/pdf 5"]),
            (PLAIN.to_owned(), &[]),
            (HTML.to_owned(), &[]),
        ] {
            assert_eq!(files(raw.clone()), expected, "{raw}");
        }
        assert_eq!(message(TABLE).text(), "a;b");
        assert_eq!(message(TABLE).file_bytes(0).as_deref(), Some(&b"a;b"[..]));
        assert_eq!(message(&multipart("mixed", &[PLAIN, CALENDAR])).attachment_count(), 0, "as the peer counts");
    }

    #[test]
    fn an_attached_message_without_a_name_is_called_by_its_subject() {
        for (header, name) in [
            ("Subject: Your\n order", "Your order.eml"),
            ("From: a@x.test\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= 1/2", "Grüße 1-2.eml"),
            ("From: a@x.test", ""),
            ("Subject:", ""),
        ] {
            let part = format!("Content-Type: message/rfc822\n\n{header}\n\nSubject: none");
            assert_eq!(message(&multipart("mixed", &[PLAIN, &part])).files()[0].name, name, "{header}");
        }
        let named = "Content-Type: message/rfc822; name=a.eml\n\nSubject: x\n\nx";
        assert_eq!(message(&multipart("mixed", &[PLAIN, named])).files()[0].name, "a.eml");
    }

    #[test]
    fn html_without_a_label_names_its_charset_itself() {
        let meta = "<html><head><META http-equiv='Content-Type' content='text/html; charset=windows-1251'></head>";
        for (label, html, text) in [
            ("", &b"\xcf\xf0\xe8\xe2\xe5\xf2"[..], "Привет"),
            ("; charset=us-ascii", b"\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"),
            ("; charset=koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"),
            ("", "Привет".as_bytes(), "Привет"),
        ] {
            let raw = [format!("Content-Type: text/html{label}\n\n{meta}").as_bytes(), html].concat();
            assert_eq!(Message::parse(raw.into()).text(), text, "{label}");
        }
    }

    #[test]
    fn attachments_are_decoded() {
        let message = message(&multipart("mixed", &[PLAIN, FILE, PDF]));
        let described: Vec<_> = message
            .attachments()
            .iter()
            .map(|found| (found.name.as_str(), found.media_type.as_str(), found.size))
            .collect();
        assert_eq!(described, [("a.txt", "text/plain", 6), ("", "application/pdf", 5)]);
        assert_eq!(message.attachment_bytes(0), Some(&b"secret"[..]));
        assert_eq!(message.attachment_bytes(1), Some(&b"%PDF-"[..]));
        assert_eq!(message.attachment_bytes(2), None);
    }

    #[test]
    fn an_attachment_says_whether_it_wants_to_be_shown_and_by_which_id() {
        let message = message(&multipart("mixed", &[PLAIN, IMAGE, PDF]));
        let said: Vec<_> =
            message.attachments().iter().map(|found| (found.inline, found.content_id.as_str())).collect();
        assert_eq!(said, [(true, "l@x"), (false, "")]);
    }

    #[test]
    fn html_is_given_as_it_came() {
        assert_eq!(message(&multipart("alternative", &[PLAIN, HTML])).html(), Some("<p>fancy &amp; more"));
        assert_eq!(message(PLAIN).html(), None);
    }

    #[test]
    fn line_ends_are_line_feeds() {
        assert_eq!(Message::parse(b"Subject: x\r\n\r\na\r\nb\rc\0d\n".as_slice().into()).text(), "a\nb\nc d\n");
    }
}
