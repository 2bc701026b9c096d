//! The bytes of a mail on their way out: read part by part, so that a large mail is never in memory whole, with the
//! line ends that SMTP or a command wants.

use crate::store::outgoing::{self, ClaimedMail};
use crate::store::{Store, StoreError};
use memchr::memchr2;

/// The bytes of a mail in the queue, a part at a time.
#[derive(Debug)]
pub struct ContentParts {
    store: Store,
    id: i64,
    next: i64,
    /// Bytes that are still to come.
    left: usize,
}

impl ContentParts {
    /// All of a mail that is to be sent.
    pub fn of(store: &Store, claimed: &ClaimedMail) -> Self {
        Self {
            store: store.clone(),
            id: claimed.claim.id,
            next: 0,
            left: usize::try_from(claimed.size).unwrap_or_default(),
        }
    }

    /// The next part, 1 MiB at most; nothing after the last. A mail of which bytes are missing is an error: nothing of
    /// it may be taken for the whole.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        if self.left == 0 {
            return Ok(None);
        }
        let part = outgoing::raw_part(&mut *self.store.read().await?, self.id, self.next).await?.unwrap_or_default();
        self.next += 1;
        match self.left.checked_sub(part.len()) {
            Some(left) if !part.is_empty() => self.left = left,
            _ => {
                let reason = format!("mail {} has not the bytes that were queued", self.id);
                return Err(StoreError::Corrupt { what: "outgoing mail", reason });
            }
        }
        Ok(Some(part))
    }
}

#[cfg(test)]
impl ContentParts {
    /// All of a mail of these bytes, in a queue of its own in the folder.
    pub async fn queued(raw: &[u8]) -> (tempfile::TempDir, Self) {
        use crate::store::outgoing::{NewOutgoing, SendableMail};
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&crate::store::Location::Folder(folder.path().to_owned())).await.unwrap();
        let composed = SendableMail {
            recipients: vec!["b@x.example".into()],
            raw: vec![raw.to_vec().into()],
            ..SendableMail::default()
        };
        let new = NewOutgoing {
            kind: postigo_model::outgoing::OutgoingKind::Reply,
            ticket_id: 0,
            article_id: 0,
            composed,
            now: 0,
        };
        let id = store.write(new, |new, connection| Box::pin(outgoing::queue(connection, new))).await.unwrap();
        (folder, Self { store, id, next: 0, left: raw.len() })
    }

    /// Part of it is not there.
    pub fn with_bytes_missing(self) -> Self {
        Self { left: self.left + 1, ..self }
    }
}

/// Makes every line end the same, bare CR and bare LF too: what the next server takes for the end of a line must be
/// what we take for one.
#[derive(Debug)]
pub struct Lines {
    end: &'static [u8],
    /// Whether a dot at the beginning of a line is doubled (RFC 5321 section 4.5.2).
    doubles_dots: bool,
    after_cr: bool,
    begins: bool,
}

impl Lines {
    /// With CRLF and doubled dots, as SMTP wants them.
    pub fn of_smtp() -> Self {
        Self { end: b"\r\n", doubles_dots: true, after_cr: false, begins: true }
    }

    /// With LF, as commands on this machine expect.
    pub fn of_command() -> Self {
        Self { end: b"\n", doubles_dots: false, after_cr: false, begins: true }
    }

    /// The next bytes of the mail, however they are cut.
    pub fn of(&mut self, part: &[u8]) -> Vec<u8> {
        let mut lines = Vec::with_capacity(part.len() + part.len() / 32 + 2);
        let mut rest = part;
        while let Some(place) = memchr2(b'\r', b'\n', rest) {
            self.add(rest.get(..place).unwrap_or_default(), &mut lines);
            let is_cr = rest.get(place) == Some(&b'\r');
            // The LF of a CRLF was dealt with at its CR.
            if is_cr || !self.after_cr {
                lines.extend_from_slice(self.end);
                self.begins = true;
            }
            self.after_cr = is_cr;
            rest = rest.get(place + 1..).unwrap_or_default();
        }
        self.add(rest, &mut lines);
        lines
    }

    fn add(&mut self, text: &[u8], lines: &mut Vec<u8>) {
        let Some(first) = text.first() else { return };
        if self.doubles_dots && self.begins && *first == b'.' {
            lines.push(b'.');
        }
        lines.extend_from_slice(text);
        (self.begins, self.after_cr) = (false, false);
    }

    /// What ends the content in SMTP: the dot on a line of its own.
    pub fn last_dot(&self) -> &'static [u8] {
        if self.begins { b".\r\n" } else { b"\r\n.\r\n" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All of it through pieces of this size.
    fn through(mut lines: Lines, given: &[u8], size: usize) -> Vec<u8> {
        let mut all: Vec<u8> = given.chunks(size).flat_map(|piece| lines.of(piece)).collect();
        if lines.doubles_dots {
            all.extend_from_slice(lines.last_dot());
        }
        all
    }

    #[test]
    fn every_line_end_becomes_the_same_wherever_it_is_cut() {
        for (given, smtp, command) in [
            ("a\r\nb\r\n", "a\r\nb\r\n.\r\n", "a\nb\n"),
            ("a\nb\n", "a\r\nb\r\n.\r\n", "a\nb\n"),
            ("a\rb", "a\r\nb\r\n.\r\n", "a\nb"),
            ("\n.\n", "\r\n..\r\n.\r\n", "\n.\n"),
            (".\r\n..x\r\ny.z", "..\r\n...x\r\ny.z\r\n.\r\n", ".\n..x\ny.z"),
            ("a\r\n.\rb\r\r\n\n", "a\r\n..\r\nb\r\n\r\n\r\n.\r\n", "a\n.\nb\n\n\n"),
            ("", ".\r\n", ""),
        ] {
            for size in 1..=given.len().max(1) {
                assert_eq!(through(Lines::of_smtp(), given.as_bytes(), size), smtp.as_bytes(), "{given:?} by {size}");
                assert_eq!(
                    through(Lines::of_command(), given.as_bytes(), size),
                    command.as_bytes(),
                    "{given:?} by {size}"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_mail_is_read_part_by_part_and_what_is_missing_is_missed() {
        let raw: Vec<u8> = (0..5_000_000_u32).map(|number| (number % 251) as u8).collect();
        let (_folder, mut parts) = ContentParts::queued(&raw).await;
        let mut read = Vec::new();
        while let Some(part) = parts.next().await.unwrap() {
            assert!(part.len() <= 1 << 20);
            read.extend(part);
        }
        assert!(read == raw);
        (parts.next, parts.left) = (0, raw.len());
        let mut parts = parts.with_bytes_missing();
        let error = loop {
            match parts.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("a mail without its last byte was taken for whole"),
                Err(error) => break error,
            }
        };
        assert!(!error.is_temporary() && error.to_string().contains("has not the bytes that were queued"), "{error}");
    }

    proptest! {
        #[test]
        fn no_content_ends_the_mail_early(given in "[a.\r\n]{0,40}", size in 1_usize..9) {
            let sent = through(Lines::of_smtp(), given.as_bytes(), size);
            let end = b"\r\n.\r\n";
            let wire = [b"\r\n", sent.as_slice()].concat();
            let first = wire.windows(end.len()).position(|window| window == end).unwrap();
            prop_assert_eq!(first, wire.len() - end.len());
            // No line end but CRLF.
            let bare = String::from_utf8(sent).unwrap().replace("\r\n", "");
            prop_assert!(!bare.contains(['\r', '\n']));
        }
    }
}
