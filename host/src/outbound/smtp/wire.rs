//! The stream below a connection: what was read before the connection took over is read by it once more, and the server's first words are kept.

use super::error::one_line;
use crate::transport::Stream;
use lettre::transport::smtp::client::AsyncTokioStream;
use lettre::transport::smtp::response::Response;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// An answer of more bytes is none.
const LONGEST_ANSWER: usize = 64 << 10;

/// What the server says, until somebody takes it.
#[derive(Debug, Clone)]
pub struct Heard(Arc<Mutex<Option<Vec<u8>>>>);

impl Heard {
    /// Takes what was heard; nothing is kept from then on.
    pub fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    fn add(&self, bytes: &[u8]) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(heard) = heard.as_mut().filter(|heard| heard.len() + bytes.len() <= LONGEST_ANSWER) {
            heard.extend_from_slice(bytes);
        }
    }
}

/// A stream that first gives `before`.
#[derive(Debug)]
pub struct Wire {
    before: Vec<u8>,
    stream: Stream,
    heard: Heard,
    /// Bytes since the last line end.
    line: usize,
}

impl Wire {
    /// Over `stream`, of which `before` was read already.
    pub fn new(stream: Stream, before: Vec<u8>) -> (Self, Heard) {
        let heard = Heard(Arc::new(Mutex::new(Some(Vec::new()))));
        (Self { before, stream, heard: heard.clone(), line: 0 }, heard)
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.before.is_empty() {
            let rest = this.before.split_off(this.before.len().min(buffer.remaining()));
            buffer.put_slice(&this.before);
            this.before = rest;
            return Poll::Ready(Ok(()));
        }
        let filled = buffer.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(context, buffer);
        if result.is_ready() {
            let read = buffer.filled().get(filled..).unwrap_or_default();
            this.heard.add(read);
            // The library reads to the end of a line, however far that is.
            this.line = read.iter().rev().position(|byte| *byte == b'\n').unwrap_or(this.line + read.len());
            if this.line > LONGEST_ANSWER {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the server's answer does not end")));
            }
        }
        result
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // The second command ends what is kept: greeting and answer to EHLO are all that is asked for.
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        // Asked by nobody here: the stream below knows the server by name.
        Ok((Ipv4Addr::UNSPECIFIED, 0).into())
    }
}

/// Reads one whole answer and not a byte more: what follows it, in clear, is not to be trusted once TLS begins.
pub async fn answer(stream: &mut Stream) -> Result<(Vec<u8>, Response), String> {
    let mut bytes = Vec::new();
    let mut line = 0;
    loop {
        let byte = stream.read_u8().await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
            _ => error.to_string(),
        })?;
        bytes.push(byte);
        if byte == b'\n' {
            if bytes.get(line + 3) != Some(&b'-') {
                break;
            }
            line = bytes.len();
        }
        if bytes.len() > LONGEST_ANSWER {
            return Err("the answer does not end".to_owned());
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let response = text.parse().map_err(|_| format!("{:?} is no answer of SMTP", one_line(&text)))?;
    Ok((bytes, response))
}

/// An answer's words on one line.
pub fn words(response: &Response) -> String {
    let lines: Vec<&str> = response.message().collect();
    one_line(&format!("{} {}", response.code(), lines.join(" ")))
}
