//! A message's bytes as they come, by DATA (RFC 5321 section 4.1.1.4) or BDAT (RFC 3030).
//!
//! Only CRLF, a dot and CRLF end DATA. A line feed or carriage return that stands alone is never a line's end here, nor
//! is such a message stored: other servers might end the message there and read what follows as commands (SMTP
//! smuggling).

use super::reply::Reply;
use bytes::{Buf, BytesMut};
use postigo_mail::Message;
use postigo_model::communication::MailHeading;
use postigo_net::listen::{IncomingMessage, IntakeReservation};
use tokio::time::Instant;

/// A line of text has at most so many bytes. RFC 5321 promises 1,000; what is far above that is no mail.
const LONGEST_LINE: usize = 1 << 20;
/// Longer pieces of a line are taken before its end is there.
const PIECE: usize = 32 << 10;
/// So many Received headers say that a message goes round in circles (RFC 5321 section 6.3).
const MOST_HOPS: usize = 100;

/// So much of a message that is refused is looked at for its header.
const LONGEST_HEADER: usize = 64 << 10;

/// Why a message is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataFault {
    /// A line feed or carriage return alone.
    BareNewline,
    /// More bytes than are taken.
    TooLarge,
    /// A line of more than [`LONGEST_LINE`].
    LongLine,
    /// It goes round in circles.
    TooManyHops,
    /// Other messages take all memory now.
    NoRoom,
}

impl DataFault {
    /// What the client is told.
    pub fn reply(self) -> Reply {
        match self {
            Self::BareNewline => {
                Reply::new(550, "5.5.2", "Refused: a CR or LF stands alone; lines of a message end with CRLF")
            }
            Self::TooLarge => Reply::new(552, "5.3.4", "The message is larger than is taken here"),
            Self::LongLine => Reply::new(554, "5.6.0", "A line of the message is longer than 1 MiB"),
            Self::NoRoom => Reply::new(452, "4.3.1", "Other messages take all the room now; try again later"),
            Self::TooManyHops => {
                Reply::new(554, "5.4.6", "The message has 100 Received headers: it goes round in circles")
            }
        }
    }
}

/// A message on its way in.
#[derive(Debug)]
pub struct IncomingBody {
    bytes: Vec<u8>,
    share: IntakeReservation,
    begun: Instant,
    own: usize,
    greatest: u64,
    received: u64,
    fault: Option<DataFault>,
    /// Of a message that is refused: which mail it is, as far as it had come.
    heading: Option<MailHeading>,
    /// Whether the line before ended with CRLF.
    after_crlf: bool,
    /// Bytes of the present line that were taken already.
    in_line: usize,
    /// The last byte of a chunk was a CR.
    after_cr: bool,
    /// Tells the listener how far it is.
    bringing: Option<IncomingMessage>,
}

impl IncomingBody {
    /// Begins with what this host writes before the message; at most `greatest` bytes may follow, in the share's
    /// memory.
    pub fn new(own: Vec<u8>, greatest: u64, share: IntakeReservation) -> Self {
        Self {
            own: own.len(),
            bytes: own,
            share,
            begun: Instant::now(),
            greatest,
            received: 0,
            fault: None,
            heading: None,
            after_crlf: true,
            in_line: 0,
            after_cr: false,
            bringing: None,
        }
    }

    /// The same, and the listener is told how far it is.
    pub fn told(self, bringing: IncomingMessage) -> Self {
        Self { bringing: Some(bringing), ..self }
    }

    /// Bytes that came so far, those included that were not kept.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// When it began.
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// What is wrong with it so far.
    pub fn fault(&self) -> Option<DataFault> {
        self.fault
    }

    /// Which mail it is that is refused, once its fault is known.
    pub fn heading(&self) -> Option<&MailHeading> {
        self.heading.as_ref()
    }

    /// Takes what DATA brought; true when the final dot has come, and the rest of `input` is commands again.
    pub fn take_lines(&mut self, input: &mut BytesMut) -> bool {
        while let Some(end) = memchr::memchr(b'\n', input) {
            let line = input.split_to(end + 1);
            self.received += line.len() as u64;
            if self.in_line == 0 && self.after_crlf && *line == *b".\r\n" {
                return true;
            }
            self.take_line(&line);
        }
        // The last byte stays: it may be the CR of the line's end.
        if input.len() > PIECE {
            let piece = input.split_to(input.len() - 1);
            self.received += piece.len() as u64;
            self.take_piece(&piece);
        }
        self.tell();
        false
    }

    fn tell(&self) {
        if let Some(bringing) = &self.bringing {
            bringing.came(self.received);
        }
    }

    fn take_line(&mut self, line: &[u8]) {
        let text = line.strip_suffix(b"\r\n");
        if text.is_none_or(|text| memchr::memchr(b'\r', text).is_some()) {
            self.wrong(DataFault::BareNewline);
        }
        let text = self.without_dot(line);
        self.keep(text);
        (self.in_line, self.after_crlf) = (0, line.ends_with(b"\r\n"));
    }

    fn take_piece(&mut self, piece: &[u8]) {
        if memchr::memchr(b'\r', piece).is_some() {
            self.wrong(DataFault::BareNewline);
        }
        let text = self.without_dot(piece);
        self.keep(text);
        self.in_line += piece.len();
        if self.in_line > LONGEST_LINE {
            self.wrong(DataFault::LongLine);
        }
    }

    /// A dot that begins a line was doubled by the client (RFC 5321 section 4.5.2).
    fn without_dot<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        if self.in_line == 0 && self.after_crlf { line.strip_prefix(b".").unwrap_or(line) } else { line }
    }

    /// Takes what is there of a chunk of which `left` bytes are to come.
    pub fn take_chunk(&mut self, input: &mut BytesMut, left: &mut u64) {
        let here = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
        let piece = input.split_to(here);
        *left -= here as u64;
        self.received += here as u64;
        for &byte in &piece {
            if self.after_cr != (byte == b'\n') {
                self.wrong(DataFault::BareNewline);
            }
            self.after_cr = byte == b'\r';
            self.in_line = if byte == b'\n' { 0 } else { self.in_line + 1 };
            if self.in_line > LONGEST_LINE {
                self.wrong(DataFault::LongLine);
            }
        }
        self.keep(&piece);
        self.tell();
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        if (self.bytes.len() - self.own + piece.len()) as u64 > self.greatest {
            return self.wrong(DataFault::TooLarge);
        }
        if !self.share.hold((self.bytes.len() + piece.len()) as u64) {
            return self.wrong(DataFault::NoRoom);
        }
        self.bytes.extend_from_slice(piece);
    }

    /// The first fault stays; nothing is kept of a message that is refused.
    fn wrong(&mut self, fault: DataFault) {
        if self.fault.is_none() {
            self.fault = Some(fault);
            self.heading = Some(heading(self.bytes.get(self.own..).unwrap_or_default()));
            self.bytes = Vec::new();
            self.share.give_back();
        }
    }

    /// The whole message, how many of its bytes this host wrote, and the share to keep for as long as the bytes; or why
    /// it is not stored, and which mail it is.
    pub fn finish(mut self) -> Result<(Vec<u8>, usize, IntakeReservation), (DataFault, MailHeading)> {
        if self.after_cr {
            self.wrong(DataFault::BareNewline);
        }
        if self.fault.is_none() && hops(self.bytes.get(self.own..).unwrap_or_default()) >= MOST_HOPS {
            self.wrong(DataFault::TooManyHops);
        }
        match self.fault {
            Some(fault) => Err((fault, self.heading.unwrap_or_default())),
            None => Ok((self.bytes, self.own, self.share)),
        }
    }
}

/// Drops what is there of a chunk that nobody wants.
pub fn drop_chunk(input: &mut BytesMut, left: &mut u64) {
    let here = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
    input.advance(here);
    *left -= here as u64;
}

/// Which mail it is, by the beginning that has come.
fn heading(bytes: &[u8]) -> MailHeading {
    Message::parse(bytes.get(..LONGEST_HEADER).unwrap_or(bytes).to_vec().into()).heading()
}

/// How many Received headers there are.
fn hops(message: &[u8]) -> usize {
    let header = message.split(|byte| *byte == b'\n').take_while(|line| !matches!(line, [] | [b'\r']));
    header.filter(|line| line.get(..9).is_some_and(|name| name.eq_ignore_ascii_case(b"Received:"))).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_net::listen::IntakeBudget;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// What comes of a message that arrives in these pieces, and what was left over.
    fn by_lines(pieces: &[&[u8]], greatest: u64) -> (bool, Result<Vec<u8>, DataFault>, Vec<u8>) {
        let mut body = IncomingBody::new(b"own:".to_vec(), greatest, Arc::<IntakeBudget>::default().share("a"));
        let mut input = BytesMut::new();
        let mut ended = false;
        for piece in pieces {
            input.extend_from_slice(piece);
            ended = ended || body.take_lines(&mut input);
        }
        let finished = body.finish().map(|(bytes, own, _)| bytes[own..].to_vec()).map_err(|(fault, _)| fault);
        (ended, finished, input.to_vec())
    }

    fn by_chunks(chunks: &[&[u8]]) -> Result<Vec<u8>, DataFault> {
        let mut body = IncomingBody::new(Vec::new(), 1 << 20, Arc::<IntakeBudget>::default().share("a"));
        for chunk in chunks {
            let (mut input, mut left) = (BytesMut::from(*chunk), chunk.len() as u64);
            body.take_chunk(&mut input, &mut left);
            assert_eq!((input.len(), left), (0, 0));
        }
        body.finish().map(|(bytes, ..)| bytes).map_err(|(fault, _)| fault)
    }

    #[test]
    fn the_final_dot_ends_and_others_are_undoubled() {
        let (ended, bytes, rest) = by_lines(&[b"a\r\n..b\r\n.c\r\n.", b"\r", b"\nQUIT\r\n"], 100);
        assert!(ended);
        assert_eq!(bytes.unwrap(), b"a\r\n.b\r\nc\r\n");
        assert_eq!(rest, b"QUIT\r\n");
        assert_eq!(by_lines(&[b".\r\n"], 100).1.unwrap(), b"");
    }

    #[test]
    fn nothing_but_crlf_dot_crlf_ends_and_what_others_might_take_for_it_is_refused() {
        for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\r\n\0.\r\n", "\r\n.\r\r\n"] {
            let smuggled = format!("a{end}MAIL FROM:<x@y>\r\n");
            let (ended, ..) = by_lines(&[smuggled.as_bytes()], 1_000);
            assert!(!ended, "{end:?} ended the data");
            let whole = format!("{smuggled}.\r\n");
            let (ended, bytes, _) = by_lines(&[whole.as_bytes()], 1_000);
            assert!(ended, "{end:?}");
            let expected = if end.contains('\0') { None } else { Some(DataFault::BareNewline) };
            assert_eq!(bytes.err(), expected, "{end:?}");
        }
    }

    #[test]
    fn chunks_are_held_to_the_same_rule() {
        assert_eq!(by_chunks(&[b"a\r\n.\r\nb\r", b"\n..c\r\n"]).unwrap(), b"a\r\n.\r\nb\r\n..c\r\n");
        for chunks in [&[b"a\nb".as_slice()][..], &[b"a\rb"], &[b"a\r", b"b\r\n"], &[b"a\r\n", b"\n"], &[b"a\r"]] {
            assert_eq!(by_chunks(chunks), Err(DataFault::BareNewline), "{chunks:?}");
        }
    }

    #[test]
    fn what_is_too_large_too_long_or_goes_in_circles_is_read_to_its_end_and_refused() {
        assert_eq!(
            by_lines(&[b"12345\r\n", b"678\r\n.\r\nQUIT\r\n"], 10),
            (true, Err(DataFault::TooLarge), b"QUIT\r\n".to_vec())
        );
        let line = vec![b'x'; LONGEST_LINE + PIECE];
        assert_eq!(by_lines(&[&line, b"\r\n.\r\n"], 1 << 30).1, Err(DataFault::LongLine));
        let circles = "Received: x\r\n".repeat(MOST_HOPS);
        assert_eq!(by_lines(&[circles.as_bytes(), b"\r\n.\r\n"], 1 << 20).1, Err(DataFault::TooManyHops));
        let body = format!("Subject: x\r\n\r\n{circles}.\r\n");
        assert!(by_lines(&[body.as_bytes()], 1 << 20).1.is_ok(), "lines of a body are no hops");
    }

    #[test]
    fn a_message_that_finds_no_room_is_put_off_until_there_is_some() {
        let room = Arc::new(IntakeBudget::of(2 << 20));
        let mut other = room.share("a");
        assert!(other.hold(1 << 20));
        let taken = || {
            let mut body = IncomingBody::new(Vec::new(), 1 << 20, room.share("a"));
            let mut input = BytesMut::from("line\r\n".repeat(20_000).as_str());
            input.extend_from_slice(b".\r\n");
            assert!(body.take_lines(&mut input));
            body.finish().map(|(bytes, ..)| bytes.len()).map_err(|(fault, _)| fault)
        };
        assert_eq!(taken(), Err(DataFault::NoRoom));
        assert!(!DataFault::NoRoom.reply().is_permanent());
        drop(other);
        assert_eq!(taken(), Ok(120_000));
        assert_eq!(taken(), Ok(120_000), "it is given back");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn lines_come_back_however_they_are_cut(lines in proptest::collection::vec("[a.]{0,4}", 0..8), cuts in proptest::collection::vec(0_usize..60, 0..6)) {
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let sent: String = lines.iter().map(|line| format!("{}{line}\r\n", if line.starts_with('.') { "." } else { "" })).collect::<String>() + ".\r\n";
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(sent.len())).collect();
            cuts.extend([0, sent.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &sent.as_bytes()[pair[0]..pair[1]]).collect();
            let (ended, bytes, rest) = by_lines(&pieces, 1_000);
            prop_assert!(ended && rest.is_empty());
            prop_assert_eq!(bytes.unwrap(), message.into_bytes());
        }
    }
}
