//! The stream beneath the library: hands on whole answers that it can read.

use super::answer::{Answer, AnswerCutter};
use super::odd::{self, Oddities, Reading};
use postigo_net::Stream;
use postigo_net::redaction::Redactor;
use postigo_net::words::said;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So many bytes are read at once.
const PIECE: usize = 16 << 10;

/// A needed answer that cannot be read; its text is the answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UnreadableAnswer(String);

/// A stream to a server that speaks IMAP more or less.
#[derive(Debug)]
pub struct AnswerStream {
    stream: Stream,
    cutter: AnswerCutter,
    /// Answers that the library has not taken yet.
    ready: VecDeque<Vec<u8>>,
    /// So much of the first of them it has.
    taken: usize,
    /// Why there are no more.
    end: Option<io::Error>,
    greeted: bool,
    oddities: Oddities,
}

impl AnswerStream {
    /// Over a stream; `greeted`: the server has greeted in clear before. `oddities` hears of what is not quite IMAP.
    pub fn over(stream: Stream, greeted: bool, oddities: Oddities) -> Self {
        Self { stream, cutter: AnswerCutter::default(), ready: VecDeque::new(), taken: 0, end: None, greeted, oddities }
    }

    /// The stream itself, for TLS. What came in clear meanwhile is dropped: nobody knows who said it.
    pub fn into_inner(self) -> Stream {
        self.stream
    }

    /// Makes room for answers that bring messages of at most so many bytes.
    pub fn make_room(&mut self, greatest: u64) {
        self.cutter.make_room(greatest);
    }

    /// What takes the secrets out of the server's words.
    pub fn redactor(&self) -> &Redactor {
        self.stream.redactor()
    }

    /// Lets every read and write that begins from now on end after this time.
    pub fn set_timeout(&self, timeout: Duration) {
        self.stream.set_timeout(timeout);
    }

    /// What the session met that is not quite IMAP.
    pub fn oddities(&self) -> &Oddities {
        &self.oddities
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut whole = Vec::new();
        if let Err(endless) = self.cutter.take(bytes, |answer| whole.push(answer)) {
            self.end = Some(io::Error::new(io::ErrorKind::InvalidData, endless));
        }
        for answer in whole {
            if let Err(unreadable) = self.pass(answer) {
                self.end = Some(io::Error::new(io::ErrorKind::InvalidData, unreadable));
                return;
            }
        }
    }

    fn pass(&mut self, answer: Answer) -> Result<(), UnreadableAnswer> {
        let is_first = !std::mem::replace(&mut self.greeted, true);
        match odd::read(&answer, is_first) {
            Reading::AsItIs => self.ready.push_back(answer.bytes),
            Reading::Mended(bytes) => {
                self.oddities.met(odd::kind(&answer.bytes), || {
                    let redactor = self.stream.redactor();
                    format!(
                        "The server says what is not quite IMAP, which was read all the same: {}",
                        said(&answer.words(), redactor)
                    )
                });
                self.ready.push_back(bytes);
            }
            Reading::LeftOut => {
                self.oddities.met(odd::kind(&answer.bytes), || match said(&answer.words(), self.stream.redactor()) {
                    words if words.is_empty() => "The server sent an empty line, which was left out.".to_owned(),
                    words => {
                        format!("The server said what is no IMAP; nobody needs it, and it was left out: {words}")
                    }
                });
            }
            Reading::Unreadable => return Err(UnreadableAnswer(answer.words())),
        }
        Ok(())
    }
}

impl AsyncRead for AnswerStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if let Some(first) = this.ready.front() {
                let rest = first.get(this.taken..).unwrap_or_default();
                let take = rest.len().min(into.remaining());
                into.put_slice(rest.get(..take).unwrap_or_default());
                this.taken += take;
                if take == rest.len() {
                    this.ready.pop_front();
                    this.taken = 0;
                }
                return Poll::Ready(Ok(()));
            }
            if let Some(end) = this.end.take() {
                return Poll::Ready(Err(end));
            }
            let mut piece = [0; PIECE];
            let mut room = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut room))?;
            if room.filled().is_empty() {
                if this.cutter.unfinished().is_empty() {
                    return Poll::Ready(Ok(()));
                }
                let why = "it closed the connection in the midst of an answer";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, why)));
            }
            this.take(room.filled());
        }
    }
}

impl AsyncWrite for AnswerStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
