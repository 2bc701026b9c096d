//! The bytes between a client and a session: lines in, answers out, with an end to every wait.

use super::reply::Reply;
use bytes::BytesMut;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

/// A byte stream from a client.
pub trait ClientBytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ClientBytes for T {}

/// A command has at most so many bytes; RFC 5321 says 512, extensions add some.
const LONGEST_COMMAND: usize = 4_096;
/// One read brings at most about so many bytes, …
const LARGEST_READ: usize = 64 << 10;
/// … and at first so many: clients that wait cost little.
const FIRST_READ: usize = 2 << 10;
/// A client that does not read its answers for so long is gone.
const ANSWERS_READ_WITHIN: Duration = Duration::from_mins(1);

/// Why there is no more from a client.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It has gone.
    #[error("the client went away")]
    Gone,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// It was silent, or too slow, for too long.
    #[error("the client was silent or too slow")]
    TooSlow,
    /// Others needed its place, and its message came slowly.
    #[error("others needed the connection, and the message came slower than those of others")]
    Displaced,
}

/// A line from a client.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientLine {
    /// Whole, CRLF included.
    Whole(BytesMut),
    /// It ended with a line feed alone.
    BareNewline,
    /// It has no end within [`LONGEST_COMMAND`].
    TooLong,
}

/// The connection as a session has it.
pub struct Wire {
    stream: Box<dyn ClientBytes>,
    /// What came and was not read yet.
    pub input: BytesMut,
    read: usize,
    output: Vec<u8>,
    /// So many bytes of the output were sent.
    sent: usize,
}

impl Wire {
    /// Nothing was read or said yet.
    pub fn new(stream: Box<dyn ClientBytes>) -> Self {
        Self { stream, input: BytesMut::new(), read: FIRST_READ, output: Vec::new(), sent: 0 }
    }

    /// The stream alone. What was read ahead is dropped: before STARTTLS anybody could have put it there (RFC 3207
    /// section 4.2).
    pub fn into_stream(self) -> Box<dyn ClientBytes> {
        self.stream
    }

    /// Adds an answer to those that go out with the next read.
    pub fn answer(&mut self, reply: &Reply) {
        reply.write_to(&mut self.output);
    }

    /// The same for one of several lines.
    pub fn answer_lines(&mut self, code: u16, lines: &[String]) {
        super::reply::write_lines(code, lines, &mut self.output);
    }

    /// Sends the answers. Given up half-way, it goes on from there the next time.
    pub async fn flush(&mut self) -> Result<(), WireError> {
        let sent = async {
            while let Some(rest) = self.output.get(self.sent..).filter(|rest| !rest.is_empty()) {
                match self.stream.write(rest).await? {
                    0 => return Err(io::ErrorKind::WriteZero.into()),
                    count => self.sent += count,
                }
            }
            self.stream.flush().await
        };
        tokio::time::timeout(ANSWERS_READ_WITHIN, sent).await.map_err(|_| WireError::TooSlow)??;
        (self.sent, self.output) = (0, Vec::new());
        Ok(())
    }

    /// Sends the answers, reads more, and waits for it until `end`.
    pub async fn more(&mut self, end: Instant) -> Result<(), WireError> {
        self.flush().await?;
        self.input.reserve(self.read);
        let read = tokio::time::timeout_at(end, self.stream.read_buf(&mut self.input))
            .await
            .map_err(|_| WireError::TooSlow)??;
        if read >= self.read {
            self.read = (self.read * 4).min(LARGEST_READ);
        }
        if read == 0 { Err(WireError::Gone) } else { Ok(()) }
    }

    /// Gives back the memory for what comes, if there is nothing in it: it may be long until something does.
    pub fn rest(&mut self) {
        if self.input.is_empty() {
            (self.input, self.read) = (BytesMut::new(), FIRST_READ);
        }
    }

    /// The next line, if it is here.
    pub fn line(&mut self) -> Option<ClientLine> {
        match memchr::memchr(b'\n', &self.input) {
            Some(end) if end < LONGEST_COMMAND => {
                let line = self.input.split_to(end + 1);
                Some(if line.ends_with(b"\r\n") { ClientLine::Whole(line) } else { ClientLine::BareNewline })
            }
            None if self.input.len() < LONGEST_COMMAND => None,
            _ => Some(ClientLine::TooLong),
        }
    }

    /// Sends what is to be said and closes.
    pub async fn close(mut self) {
        if self.flush().await.is_ok() {
            // A client that closed first has not waited for this.
            let _ = tokio::time::timeout(ANSWERS_READ_WITHIN, self.stream.shutdown()).await;
        }
    }
}
