//! A connection whose other end must take what it is answered: one that reads nothing, or drips, does not keep an
//! answer in memory for ever.
//!
//! Only time counts in which bytes wait to be taken, so that an answer which itself comes slowly is nobody's fault.

use postigo_net::listen::ClientPlace;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// What came and was not wanted is read for so long and up to so many bytes before the connection is closed: else the
/// system would take back the answer that says why.
const LINGERS: Duration = Duration::from_secs(1);
const MOST_DROPPED: usize = 1 << 20;

/// How slowly bytes may be taken, or come.
#[derive(Debug, Clone, Copy)]
pub struct LeastPace {
    /// Nothing at all may move for so long.
    pub silence: Duration,
    /// In all, so long may be waited, …
    pub grace: Duration,
    /// … and a second more for each so many bytes that moved.
    pub bytes_a_second: u64,
}

impl LeastPace {
    /// How long so many bytes may take.
    pub fn due(&self, bytes: u64) -> Duration {
        self.grace + Duration::from_secs(bytes / self.bytes_a_second.max(1))
    }
}

/// How slowly an answer may be taken.
pub const ANSWERS: LeastPace =
    LeastPace { silence: Duration::from_secs(30), grace: Duration::from_mins(1), bytes_a_second: 1_024 };

/// A stream whose writes keep to a [`LeastPace`].
#[derive(Debug)]
pub struct PacedStream<S> {
    stream: S,
    pace: LeastPace,
    place: Arc<ClientPlace>,
    state: Arc<PaceState>,
    waiting: Option<WaitingBytes>,
    waited: Duration,
    taken: u64,
    lingering: Option<(Pin<Box<Sleep>>, usize)>,
}

/// Bytes that wait to be taken.
#[derive(Debug)]
struct WaitingBytes {
    since: Instant,
    end: Pin<Box<Sleep>>,
}

/// What others may know of the stream, and what it must know.
#[derive(Debug, Default)]
pub struct PaceState {
    /// What came may not all have been read: then some is, before the stream is closed.
    pub unread: AtomicBool,
    is_stalled: AtomicBool,
}

impl PaceState {
    /// Whether bytes wait to be taken.
    pub fn is_stalled(&self) -> bool {
        self.is_stalled.load(Ordering::Relaxed)
    }
}

impl<S> PacedStream<S> {
    /// A stream of the client in this place: one that takes bytes waits less long than one that takes none.
    pub fn new(stream: S, pace: LeastPace, place: Arc<ClientPlace>, state: Arc<PaceState>) -> Self {
        Self { stream, pace, place, state, waiting: None, waited: Duration::ZERO, taken: 0, lingering: None }
    }

    /// Whether it has waited too long for bytes to be taken.
    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        let waiting = self.waiting.get_or_insert_with(|| {
            let due = self.pace.due(self.taken);
            let since = Instant::now();
            let left = self.pace.silence.min(due.saturating_sub(self.waited));
            self.state.is_stalled.store(true, Ordering::Relaxed);
            WaitingBytes { since, end: Box::pin(tokio::time::sleep_until(since + left)) }
        });
        ready!(waiting.end.as_mut().poll(context));
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the client does not take its answer")))
    }

    /// What came of a write.
    fn wrote(&mut self, written: Poll<Result<usize>>, context: &mut Context<'_>) -> Poll<Result<usize>> {
        match written {
            Poll::Pending => self.poll_patience(context).map(|result| result.map(|()| 0)),
            Poll::Ready(result) => {
                self.taken += result.as_ref().map_or(0, |bytes| *bytes as u64);
                self.goes_on();
                Poll::Ready(result)
            }
        }
    }

    fn goes_on(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.waited += waiting.since.elapsed();
            self.state.is_stalled.store(false, Ordering::Relaxed);
            // From now on it waits anew.
            drop(self.place.serve());
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for PacedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.wrote(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            if !this.state.unread.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
        }
        let (end, dropped) = this.lingering.get_or_insert_with(|| (Box::pin(tokio::time::sleep(LINGERS)), 0));
        while *dropped < MOST_DROPPED && end.as_mut().poll(context).is_pending() {
            let mut space = [0; 8 << 10];
            let mut into = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut into)) {
                Ok(()) if !into.filled().is_empty() => *dropped += into.filled().len(),
                // The other end has read all, or has gone.
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postigo_net::listen::{ConnectionLimits, Descriptors, ListenerFigures, Origin, Places};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    const SHORT: Duration = Duration::from_millis(200);

    async fn paced(buffer: usize, unread: bool) -> (PacedStream<DuplexStream>, DuplexStream, Arc<PaceState>) {
        let places = Places::of(
            "here",
            ConnectionLimits::default(),
            &Arc::new(Descriptors::of(20_000)),
            ListenerFigures::default(),
        );
        let place = Arc::new(places.admit(Origin::Known).await.unwrap());
        let (stream, client) = tokio::io::duplex(buffer);
        let state = Arc::new(PaceState { unread: AtomicBool::new(unread), ..PaceState::default() });
        let pace = LeastPace { silence: SHORT, grace: SHORT * 2, bytes_a_second: 1 << 20 };
        (PacedStream::new(stream, pace, place, Arc::clone(&state)), client, state)
    }

    #[tokio::test]
    async fn an_answer_that_nobody_takes_is_given_up() {
        let (mut stream, _client, state) = paced(100, false).await;
        assert_eq!(stream.write_all(&[0; 1_000]).await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(state.is_stalled());
    }

    #[tokio::test]
    async fn a_reader_that_drips_is_given_up_and_an_answer_that_comes_slowly_is_not() {
        let (mut stream, mut client, _) = paced(100, false).await;
        let dripping = tokio::spawn(async move {
            let mut byte = [0; 1];
            while client.read_exact(&mut byte).await.is_ok() {
                tokio::time::sleep(SHORT / 20).await;
            }
        });
        assert_eq!(stream.write_all(&vec![0; 10_000]).await.unwrap_err().kind(), ErrorKind::TimedOut);
        drop(stream);
        dripping.await.unwrap();

        let (mut stream, mut client, state) = paced(100, false).await;
        let reading = tokio::spawn(async move {
            let mut taken = Vec::new();
            client.read_to_end(&mut taken).await.unwrap();
            taken.len()
        });
        for _ in 0..4 {
            stream.write_all(&[0; 1_000]).await.unwrap();
            tokio::time::sleep(SHORT).await;
        }
        assert!(!state.is_stalled());
        drop(stream);
        assert_eq!(reading.await.unwrap(), 4_000);
    }

    #[tokio::test]
    async fn what_was_not_wanted_is_read_before_the_end_for_a_while() {
        let (mut stream, mut client, _) = paced(1_000, true).await;
        let sending = tokio::spawn(async move {
            client.write_all(&vec![0; 50_000]).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            answer
        });
        stream.write_all(b"no").await.unwrap();
        stream.shutdown().await.unwrap();
        drop(stream);
        assert_eq!(sending.await.unwrap(), "no");

        let (mut stream, _silent, _) = paced(1_000, true).await;
        stream.shutdown().await.expect("a client that never ends is not waited for");
    }
}
