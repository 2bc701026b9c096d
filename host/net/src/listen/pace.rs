//! How fast a client's messages come: one that has been on its way for long and is far slower than what mail servers
//! send keeps nobody else out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// From when on a message keeps nobody else out.
#[derive(Debug, Clone, Copy)]
pub struct Slow {
    /// It has been on its way for so long, …
    pub after: Duration,
    /// … and came with fewer bytes a second: a thousand times as many are usual, and the least that a message must
    /// come with is a sixteenth.
    pub bytes_a_second: u64,
}

/// What is slow.
pub const SLOW: Slow = Slow { after: Duration::from_mins(1), bytes_a_second: 16 << 10 };

/// What a client has brought since it last waited. What it is served with besides, the host's own work, is not its
/// time.
#[derive(Debug, Default)]
struct Brought {
    bytes: u64,
    within: Duration,
    /// The message that it is bringing: since when, and how many bytes so far.
    now: Option<(Instant, u64)>,
}

impl Brought {
    /// Bytes a second, where a message is on its way that is slow.
    fn if_slow(&self, slow: Slow) -> Option<u64> {
        let (since, bytes) = self.now?;
        let within = self.within + since.elapsed();
        let pace =
            u64::try_from(u128::from(self.bytes + bytes) * 1_000 / within.as_millis().max(1)).unwrap_or(u64::MAX);
        (within >= slow.after && pace < slow.bytes_a_second).then_some(pace)
    }

    fn ended(&mut self) {
        if let Some((since, bytes)) = self.now.take() {
            self.bytes += bytes;
            self.within += since.elapsed();
        }
    }
}

/// What a client brings, as its place and its message share it.
#[derive(Debug, Clone, Default)]
pub struct ClientPace(Arc<Mutex<Brought>>);

impl ClientPace {
    /// Bytes a second, where a message is on its way that is slow.
    pub fn if_slow(&self, slow: Slow) -> Option<u64> {
        self.locked().if_slow(slow)
    }

    /// A message begins to come, which is on its way for as long as what is given is kept. One at a time.
    pub fn bring(&self) -> IncomingMessage {
        self.locked().now = Some((Instant::now(), 0));
        IncomingMessage { pace: self.clone() }
    }

    /// What was brought so far counts no more.
    pub fn begin_anew(&self) {
        *self.locked() = Brought::default();
    }

    /// As if what it brought had taken so long.
    #[cfg(test)]
    pub fn took(&self, within: Duration) {
        self.locked().within = within;
    }

    fn locked(&self) -> MutexGuard<'_, Brought> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message that a client brings, until it is dropped.
#[derive(Debug)]
pub struct IncomingMessage {
    pace: ClientPace,
}

impl IncomingMessage {
    /// So many bytes of it have come, in all.
    pub fn came(&self, bytes: u64) {
        if let Some((_, brought)) = &mut self.pace.locked().now {
            *brought = bytes;
        }
    }
}

impl Drop for IncomingMessage {
    fn drop(&mut self) {
        self.pace.locked().ended();
    }
}
