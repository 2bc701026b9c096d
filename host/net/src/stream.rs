//! The byte stream to a server: TCP, with a time-out on every read and write, and TLS over it where the protocol says
//! so.

use crate::redaction::Redactor;
use crate::tls;
use crate::waiting::waits_for;
use postigo_model::configured::Tls;
use std::fmt;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// One read from the operating system brings at most so many bytes.
const READ_AHEAD: usize = 64 << 10;

/// Why there is no stream to a server.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No such host, nobody listens, or no answer in time.
    #[error("No connection to {host}, port {port}: {reason}. Check host, port and the network between.")]
    Unreachable {
        /// As configured.
        host: String,
        /// Port.
        port: u16,
        /// Why.
        reason: io::Error,
    },
    /// The server waits for TLS while its greeting is waited for.
    #[error(
        "{host} speaks TLS from the first byte on port {port} and was waiting for it, while its greeting in clear was waited for. Use {instead}."
    )]
    TlsAtOnce {
        /// As configured.
        host: String,
        /// Port.
        port: u16,
        /// What to configure.
        instead: &'static str,
    },
    /// TLS could not be agreed on.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
}

/// A stream to a server, in clear or over TLS.
pub struct Stream {
    bytes: Box<dyn ByteStream>,
    timeout: Timeout,
    redactor: Redactor,
}

trait ByteStream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> ByteStream for T {}

impl Stream {
    /// Opens a TCP stream on which every read and write ends after `timeout`. `redactor` takes out of the server's
    /// words what it is told on this stream; from the beginning, for the same server may have been told before.
    pub async fn connect(host: &str, port: u16, timeout: Duration, redactor: Redactor) -> Result<Self, ConnectError> {
        waits_for(|| format!("a connection to {host}, port {port}"));
        let unreachable = |reason| ConnectError::Unreachable { host: host.to_owned(), port, reason };
        let stream = tokio::time::timeout(timeout, TcpStream::connect((host, port)))
            .await
            .map_err(|_| unreachable(silent(timeout)))?
            .map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let timeout = Timeout::new(timeout);
        Ok(Self { bytes: Box::new(TimeoutStream::new(stream, timeout.clone())), timeout, redactor })
    }

    /// What takes the secrets out of the server's words. Clients make no text of these without it.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Lets every read and write that begins from now on end after this time.
    pub fn set_timeout(&self, timeout: Duration) {
        self.timeout.set(timeout);
    }

    /// A stream over any bytes, without a time-out: for tests.
    pub fn over(bytes: impl AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static) -> Self {
        Self { bytes: Box::new(bytes), timeout: Timeout::new(Duration::MAX), redactor: Redactor::default() }
    }

    /// Agrees on TLS over this stream; the sentence tells with which version and cipher suite.
    pub async fn secure(self, host: &str, settings: &Tls) -> Result<(Self, String), tls::TlsError> {
        let (timeout, redactor) = (self.timeout.clone(), self.redactor.clone());
        waits_for(|| format!("TLS with {host}"));
        let (stream, agreed) = tls::agree(self, &redactor, host, settings).await?;
        Ok((Self { bytes: Box::new(stream), timeout, redactor }, agreed))
    }

    /// Reads ahead, so that many small answers cost one system call. Not before STARTTLS: what was read ahead in clear
    /// would be trusted.
    #[must_use]
    pub fn read_ahead(self) -> Self {
        Self { bytes: Box::new(ReadAhead { inner: self.bytes, buffer: Vec::new(), unread: 0..0 }), ..self }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Stream")
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_shutdown(context)
    }
}

/// Reads much at once and hands it out in parts. While it waits for bytes it holds no memory: hundreds of connections
/// may wait for hours.
struct ReadAhead {
    inner: Box<dyn ByteStream>,
    buffer: Vec<u8>,
    unread: Range<usize>,
}

impl ReadAhead {
    fn fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(READ_AHEAD, 0);
        let mut room = ReadBuf::new(&mut buffer);
        ready!(Pin::new(&mut self.inner).poll_read(context, &mut room))?;
        self.unread = 0..room.filled().len();
        self.buffer = buffer;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for ReadAhead {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            if into.remaining() >= READ_AHEAD {
                return Pin::new(&mut self.inner).poll_read(context, into);
            }
            ready!(self.fill(context))?;
        }
        let take = into.remaining().min(self.unread.len());
        let end = self.unread.start + take;
        into.put_slice(self.buffer.get(self.unread.start..end).unwrap_or_default());
        self.unread.start = end;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ReadAhead {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

/// How long a read or write may wait, shared by the layers of a stream.
#[derive(Clone)]
struct Timeout(Arc<AtomicU64>);

impl Timeout {
    fn new(timeout: Duration) -> Self {
        let shared = Self(Arc::default());
        shared.set(timeout);
        shared
    }

    fn set(&self, timeout: Duration) {
        self.0.store(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn get(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Ends a read or write that has waited for too long with [`io::ErrorKind::TimedOut`].
struct TimeoutStream<S> {
    inner: S,
    timeout: Timeout,
    reading: WaitDeadline,
    writing: WaitDeadline,
}

impl<S> TimeoutStream<S> {
    fn new(inner: S, timeout: Timeout) -> Self {
        Self { inner, timeout, reading: WaitDeadline::default(), writing: WaitDeadline::default() }
    }
}

/// When the present wait ends, and after how long; nothing while nobody waits.
#[derive(Default)]
struct WaitDeadline(Option<(Duration, Pin<Box<Sleep>>)>);

impl WaitDeadline {
    /// Passes a result on, or looks at the clock while there is none.
    fn watch<T>(
        &mut self,
        result: Poll<io::Result<T>>,
        timeout: Duration,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.0 = None;
            return result;
        }
        if self.0.as_ref().is_some_and(|(after, _)| *after != timeout) {
            // That wait was given up, and another began since.
            self.0 = None;
        }
        let (_, end) =
            self.0.get_or_insert_with(|| (timeout, Box::pin(tokio::time::sleep_until(Instant::now() + timeout))));
        ready!(end.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(Err(silent(timeout)))
    }
}

fn silent(timeout: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("the server was silent for {} s", timeout.as_secs_f32()))
}

impl<S: AsyncRead + Unpin> AsyncRead for TimeoutStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let result = Pin::new(&mut this.inner).poll_read(context, buffer);
        this.reading.watch(result, this.timeout.get(), context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimeoutStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let result = Pin::new(&mut this.inner).poll_write(context, bytes);
        this.writing.watch(result, this.timeout.get(), context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let result = Pin::new(&mut this.inner).poll_flush(context);
        this.writing.watch(result, this.timeout.get(), context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn a_silent_server_is_noticed_and_a_slow_one_is_not_cut_off() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut peer, _) = listener.accept().await.unwrap();
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_millis(60)).await;
                peer.write_all(b"x").await.unwrap();
            }
            peer
        });
        let mut stream =
            Stream::connect("127.0.0.1", port, Duration::from_millis(150), Redactor::default()).await.unwrap();
        let mut four = [0; 4];
        stream.read_exact(&mut four).await.unwrap();
        let held = server.await.unwrap();
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("silent"), "{error}");
        drop(held);
    }
}
