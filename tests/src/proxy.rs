//! A proxy on loopback that disturbs one connection at an exact place: cuts it, delays it, or keeps it open and passes
//! nothing more.
//!
//! It counts the bytes and lines that it passes, so that the places of an undisturbed session are known beforehand. It
//! looks into nothing: for protocols in clear.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Whose bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What the client says.
    Client,
    /// What the server says.
    Server,
}

/// A place in what one side says.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// After so many bytes.
    Byte(u64),
    /// After so many lines: the boundary of a command.
    Line(u64),
}

/// What happens there.
#[derive(Debug, Clone, Copy)]
pub enum Harm {
    /// Both sides see the end of the connection.
    Cut,
    /// The other side sees the end of what this one says, and can still speak.
    HalfClose,
    /// Nothing passes any more, in either direction, and the connection stays open until the client gives up.
    Silence,
    /// This side's words come so much later.
    Delay(Duration),
}

/// One disturbance.
#[derive(Debug, Clone, Copy)]
pub struct Disturbance {
    /// Whose words are counted.
    pub side: Side,
    /// Where.
    pub place: Place,
    /// What.
    pub harm: Harm,
}

impl fmt::Display for Disturbance {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{:?} at {:?} of the {:?}", self.harm, self.place, self.side)
    }
}

/// What passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Bytes.
    pub bytes: u64,
    /// Line feeds.
    pub lines: u64,
}

/// A running proxy. Dropped, it takes no further connections.
pub struct Proxy {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    closed: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
    connected: Mutex<Vec<Weak<Connection>>>,
}

#[derive(Default)]
struct State {
    client: Passed,
    server: Passed,
    armed: Option<Disturbance>,
    harmed: bool,
    connections: u64,
    open: usize,
}

impl Proxy {
    /// A proxy before the server that listens on this port of 127.0.0.1, perhaps not yet.
    ///
    /// # Panics
    /// If no port is free.
    pub fn before(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("a port").port();
        let shared = Arc::new(Shared {
            server,
            closed: AtomicBool::new(false),
            state: Mutex::default(),
            changed: Condvar::new(),
            connected: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.closed.load(Ordering::Relaxed) {
                    return;
                }
                Connection::open(client, &accepting);
            }
        });
        Self { port, shared }
    }

    /// Counts anew, and disturbs at this place of what is said from now on, over all connections; once.
    pub fn disturb(&self, disturbance: Disturbance) {
        self.reset(Some(disturbance));
    }

    /// Counts anew, and disturbs nothing.
    pub fn pass(&self) {
        self.reset(None);
    }

    /// Ends all connections.
    pub fn hang_up(&self) {
        let connected = std::mem::take(&mut *self.shared.connected.lock().unwrap_or_else(PoisonError::into_inner));
        connected.iter().filter_map(Weak::upgrade).for_each(|connection| connection.close());
    }

    /// What this side said since it is counted.
    pub fn passed(&self, side: Side) -> Passed {
        let state = self.shared.state();
        if side == Side::Client { state.client } else { state.server }
    }

    /// How many connections were made since it is counted.
    pub fn connections(&self) -> u64 {
        self.shared.state().connections
    }

    /// Waits until the disturbance has come; whether it has.
    pub fn harmed_within(&self, patience: Duration) -> bool {
        self.shared.wait(patience, |state| state.harmed)
    }

    /// Waits until no connection is open; whether none is.
    pub fn quiet_within(&self, patience: Duration) -> bool {
        self.shared.wait(patience, |state| state.open == 0)
    }

    fn reset(&self, armed: Option<Disturbance>) {
        let mut state = self.shared.state();
        let open = state.open;
        *state = State { armed, open, ..State::default() };
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    fn wait(&self, patience: Duration, holds: impl Fn(&State) -> bool) -> bool {
        let end = Instant::now() + patience;
        let mut state = self.state();
        while !holds(&state) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Counts what this side has said; how much of it passes before a disturbance, and which.
    fn count(&self, side: Side, said: &[u8]) -> Option<(usize, Harm)> {
        let mut state = self.state();
        let armed = state.armed.filter(|armed| armed.side == side);
        let passed = if side == Side::Client { &mut state.client } else { &mut state.server };
        let before = *passed;
        passed.bytes += said.len() as u64;
        passed.lines += (said.split(|byte| *byte == b'\n').count() - 1) as u64;
        let armed = armed?;
        let split = match armed.place {
            Place::Byte(place) => {
                usize::try_from(place.checked_sub(before.bytes)?).ok().filter(|split| *split <= said.len())?
            }
            Place::Line(place) => {
                let ends = said.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(index, _)| index + 1);
                match place.checked_sub(before.lines)? {
                    0 => 0,
                    wanted => ends.into_iter().nth(usize::try_from(wanted).ok()? - 1)?,
                }
            }
        };
        state.armed = None;
        Some((split, armed.harm))
    }
}

/// Both streams of one connection.
struct Connection {
    client: TcpStream,
    server: TcpStream,
    silent: AtomicBool,
    shared: Arc<Shared>,
}

impl Connection {
    fn open(client: TcpStream, shared: &Arc<Shared>) {
        shared.change(|state| state.connections += 1);
        // Where no server listens, the client sees the end at once.
        let Ok(server) = TcpStream::connect(("127.0.0.1", shared.server)) else { return };
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        shared.change(|state| state.open += 1);
        let connection = Arc::new(Self { client, server, silent: AtomicBool::new(false), shared: Arc::clone(shared) });
        shared.connected.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&connection));
        std::thread::spawn(move || {
            std::thread::scope(|scope| {
                scope.spawn(|| connection.pass_on(Side::Client));
                connection.pass_on(Side::Server);
            });
            connection.close();
            connection.shared.change(|state| state.open -= 1);
        });
    }

    /// Passes on what one side says until it has said all, or something breaks.
    fn pass_on(&self, side: Side) {
        let (mut from, to) =
            if side == Side::Client { (&self.client, &self.server) } else { (&self.server, &self.client) };
        let mut buffer = vec![0; 64 << 10];
        // Nothing of this side passes any more.
        let mut ended = false;
        loop {
            let said = match from.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(length) => &buffer[..length],
            };
            if ended || self.silent.load(Ordering::Relaxed) {
                continue;
            }
            let harm = self.shared.count(side, said);
            let (before, after) = said.split_at(harm.map_or(said.len(), |(split, _)| split));
            let mut passed = (&mut &*to).write_all(before);
            if let Some((_, harm)) = harm {
                self.harm(harm, to);
                ended = !matches!(harm, Harm::Delay(_));
            }
            if !ended {
                passed = passed.and_then(|()| (&mut &*to).write_all(after));
            }
            if passed.is_err() {
                return self.close();
            }
        }
        if self.silent.load(Ordering::Relaxed) {
            // Who has waited in vain goes; the other need not wait on for somebody who is gone.
            return self.close();
        }
        let _ = to.shutdown(Shutdown::Write);
    }

    fn harm(&self, harm: Harm, to: &TcpStream) {
        match harm {
            Harm::Cut => self.close(),
            Harm::HalfClose => {
                let _ = to.shutdown(Shutdown::Write);
            }
            Harm::Silence => self.silent.store(true, Ordering::Relaxed),
            Harm::Delay(time) => std::thread::sleep(time),
        }
        self.shared.change(|state| state.harmed = true);
    }

    fn close(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};

    /// A server that says a line of its own and then each line again.
    fn echo() -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("a port").port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let _ = stream.write_all(b"hello\n");
                    let mut lines = BufReader::new(stream.try_clone().expect("a socket"));
                    let mut line = Vec::new();
                    while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0)
                        && stream.write_all(&line).is_ok()
                    {
                        line.clear();
                    }
                });
            }
        });
        port
    }

    /// Says two lines and gives all that is heard.
    fn talk(proxy: &Proxy) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a time-out");
        let _ = stream.write_all(b"one\n");
        let _ = stream.write_all(b"two\n");
        let mut heard = Vec::new();
        let mut buffer = [0; 64];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            heard.extend_from_slice(&buffer[..length]);
            if heard.ends_with(b"two\n") {
                break;
            }
        }
        String::from_utf8(heard).expect("text")
    }

    #[test]
    fn it_counts_and_disturbs_at_the_very_place_and_once() {
        let proxy = Proxy::before(echo());
        assert_eq!(talk(&proxy), "hello\none\ntwo\n");
        assert_eq!(proxy.passed(Side::Client), Passed { bytes: 8, lines: 2 });
        assert_eq!(proxy.passed(Side::Server), Passed { bytes: 14, lines: 3 });
        for harm in [Harm::Cut, Harm::Silence] {
            for (side, place, heard) in [
                (Side::Server, Place::Byte(7), "hello\no"),
                (Side::Server, Place::Line(2), "hello\none\n"),
                (Side::Server, Place::Byte(0), ""),
            ] {
                proxy.disturb(Disturbance { side, place, harm });
                assert_eq!(talk(&proxy), heard, "{harm:?} {place:?}");
                assert!(proxy.harmed_within(Duration::from_secs(5)));
                assert!(proxy.quiet_within(Duration::from_secs(5)));
                assert_eq!(talk(&proxy), "hello\none\ntwo\n", "the next is not disturbed");
            }
        }
        proxy.disturb(Disturbance { side: Side::Client, place: Place::Line(1), harm: Harm::HalfClose });
        assert_eq!(talk(&proxy), "hello\none\n", "the server hears the end and can still answer");
        proxy.disturb(Disturbance {
            side: Side::Client,
            place: Place::Byte(5),
            harm: Harm::Delay(Duration::from_millis(100)),
        });
        let begun = Instant::now();
        assert_eq!(talk(&proxy), "hello\none\ntwo\n");
        assert!(begun.elapsed() >= Duration::from_millis(100));
    }
}
