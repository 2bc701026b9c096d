//! What the parts of a message are for: which of them form the body, which are attachments (OTOBO's rules; see the
//! architecture page).

use super::bounds::Cuts;
use super::html;
use super::message_id::message_ids;
use super::structure::{Disposition, Part, PartPlace};
use super::transfer::TransferEncoding;
use super::{charset, fields};
use postigo_model::text::beginning;
use std::collections::HashSet;
use std::sync::OnceLock;

/// What stands for a body where a mail has no text.
pub const NO_TEXT: &str = "- no text message => see attachment -";

/// So many bytes of what HTML calls a part are looked at.
const LONGEST_ID: usize = 1_000;

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
    /// Indices of all that a reader of the article may want to open: the attachments, and parts that never said they
    /// were some.
    files: Vec<usize>,
    text: OnceLock<String>,
    html_text: OnceLock<String>,
    attachments: OnceLock<Vec<Attachment>>,
    decoded: Vec<OnceLock<Vec<u8>>>,
    cuts: Cuts,
}

impl Content {
    /// Sorts the parts of a message; `cuts` says what of them was not read.
    pub fn new(raw: &[u8], (parts, cuts): (Vec<Part>, Cuts)) -> Self {
        let body = body_parts(&parts);
        let html = parts.iter().position(|part| part.media_type == "text/html" && !is_file(part));
        let shown = shown_inline(raw, &parts);
        let attached: Vec<usize> = parts
            .iter()
            .enumerate()
            .filter(|(index, part)| {
                body.binary_search(index).is_err() && is_file(part) && !shown.contains(part.content_id.as_str())
            })
            .map(|(index, _)| index)
            .collect();
        let files = parts
            .iter()
            .enumerate()
            .filter(|(index, part)| body.binary_search(index).is_err() && !shown.contains(part.content_id.as_str()))
            .filter(|(_, part)| is_file(part) || !part.file_name.is_empty() || !is_text(part))
            .map(|(index, _)| index)
            .collect();
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
            name: part.file_name.clone(),
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

/// The decoded text of a part.
pub fn decode_text(raw: &[u8], part: &Part) -> String {
    let bytes = part.encoding.decode(raw.get(part.range.clone()).unwrap_or_default());
    charset::decode(bytes, part.charset.as_deref())
}

/// CRLF and CR become LF, NUL a blank; in place, since a text may be large.
fn with_line_feeds(text: String) -> String {
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

fn is_text(part: &Part) -> bool {
    part.media_type.starts_with("text/")
}

/// Whether a part is meant to be a file of its own.
fn is_file(part: &Part) -> bool {
    match part.disposition {
        Some(Disposition::Attachment) => true,
        Some(Disposition::Inline) => !part.file_name.is_empty(),
        None => false,
    }
}

/// The first text that is no file; in multipart/mixed every further plain or HTML text without file name follows it.
fn body_parts(parts: &[Part]) -> Vec<usize> {
    if let [part] = parts
        && part.place == PartPlace::Alone
    {
        return if is_text(part) { vec![0] } else { Vec::new() };
    }
    let Some(first) = parts.iter().position(|part| is_text(part) && !is_file(part)) else { return Vec::new() };
    let same_branch = |part: &Part| {
        part.alternative.is_none() || part.alternative == parts.get(first).and_then(|first| first.alternative)
    };
    let follows = |part: &Part| {
        let plain_or_html = matches!(part.media_type.as_str(), "text/plain" | "text/html");
        let shown = part.disposition != Some(Disposition::Attachment) && part.file_name.is_empty();
        part.place == PartPlace::Mixed && plain_or_html && shown && same_branch(part)
    };
    let further = parts.iter().enumerate().skip(first + 1).filter(|(_, part)| follows(part)).map(|(index, _)| index);
    std::iter::once(first).chain(further).collect()
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
    let header = fields::split(&message, 0);
    let field = header
        .fields
        .iter()
        .find(|field| message.get(field.name.clone()).is_some_and(|name| name.eq_ignore_ascii_case(b"message-id")))?;
    let value = charset::decode(fields::unfold(message.get(field.value.clone())?), None);
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
    const SHOWING: &str = "Content-Type: text/html\n\n<img src='cid:l@x'>see";
    const ATTACHED: &str = "Content-Type: message/rfc822\nContent-Disposition: attachment\n\nSubject: x\n\nsecret";

    #[test]
    fn the_body_is_the_first_text_and_what_follows_it_in_multipart_mixed() {
        for (raw, body) in [
            (multipart("mixed", &[PLAIN, FOOTER]), "plain\nfooter"),
            (multipart("mixed", &[PLAIN, FILE, NAMED, ATTACHED]), "plain"),
            (multipart("mixed", &[PDF, FILE, PLAIN]), "plain"),
            (multipart("mixed", &[PLAIN, HTML]), "plain\nfancy & more"),
            (multipart("alternative", &[PLAIN, HTML]), "plain"),
            (multipart("alternative", &[HTML, PLAIN]), "fancy & more"),
            (multipart("mixed", &[&multipart("alternative", &[PLAIN, HTML]), FOOTER]), "plain\nfooter"),
            (multipart("alternative", &[PLAIN, &multipart("mixed", &[HTML, PDF, HTML])]), "plain"),
            (multipart("related", &[SHOWING, IMAGE]), "see"),
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
        assert_eq!(names, ["b.txt text/plain", "c.pdf application/pdf", " application/pdf", " message/rfc822"]);
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
