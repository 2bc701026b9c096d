//! A mail server that takes whatever it gets, remembers it, and answers the contents when it is told to: for what must
//! be certain of the moment.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A mail that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Bare addresses of the envelope.
    pub recipients: Vec<String>,
    /// Bytes of the content, as they were on the wire.
    pub bytes: usize,
}

#[derive(Default)]
struct State {
    taken: Vec<Taken>,
    /// Contents that have arrived and are not answered yet.
    unanswered: usize,
    holds: bool,
    /// Recipients that a transaction takes; none: as many as come.
    at_once: Option<usize>,
    /// No transaction begins after so many mails.
    silent_after: Option<usize>,
    /// Transactions that were to begin and are not answered yet.
    unbegun: usize,
}

/// A running server, until the process ends.
pub struct Sink {
    /// Of SMTP.
    pub port: u16,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Sink {
    /// Starts a server that answers every content at once.
    ///
    /// # Panics
    /// If there is no free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::<(Mutex<State>, Condvar)>::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || converse(&stream, &shared));
            }
        });
        Self { port, state }
    }

    /// Answers no content from now on, until [`Self::release`].
    pub fn hold(&self) {
        self.lock().holds = true;
    }

    /// Answers what is unanswered, and whatever comes.
    pub fn release(&self) {
        self.lock().holds = false;
        self.state.1.notify_all();
    }

    /// Takes so many recipients in a transaction from now on, and refuses the others for now.
    pub fn take_at_once(&self, recipients: usize) {
        self.lock().at_once = Some(recipients);
    }

    /// After so many mails in all lets no transaction begin, and says nothing, until it is called with more.
    pub fn fall_silent_after(&self, mails: usize) {
        self.lock().silent_after = Some(mails);
        self.state.1.notify_all();
    }

    /// How many transactions were to begin and wait for an answer.
    pub fn unbegun(&self) -> usize {
        self.lock().unbegun
    }

    /// How many contents have arrived whole and wait for an answer.
    pub fn unanswered(&self) -> usize {
        self.lock().unanswered
    }

    /// What was taken, and its sender told so, unless it had left.
    pub fn taken(&self) -> Vec<Taken> {
        self.lock().taken.clone()
    }

    /// How often this address has got a mail.
    pub fn received(&self, address: &str) -> usize {
        self.lock().taken.iter().filter(|mail| mail.recipients.iter().any(|recipient| recipient == address)).count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection; ends when the client does.
fn converse(stream: &TcpStream, state: &(Mutex<State>, Condvar)) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::with_capacity(1 << 20, stream);
    let say = |text: &str| { stream }.write_all(format!("{text}\r\n").as_bytes()).ok();
    say("220 sink.example.net ESMTP")?;
    let (mut recipients, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        let command = String::from_utf8_lossy(&line).trim_end().to_owned();
        match command.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => say("250-sink.example.net\r\n250-SIZE 0\r\n250-SMTPUTF8\r\n250 8BITMIME")?,
            "MAIL" => {
                recipients.clear();
                begin(state);
                say("250 2.1.0 fine")?;
            }
            "RCPT" if is_enough(state, recipients.len()) => say("452 4.5.3 too many recipients")?,
            "RCPT" => {
                recipients.extend(
                    command
                        .split_once('<')
                        .and_then(|(_, rest)| rest.split_once('>'))
                        .map(|(address, _)| address.to_owned()),
                );
                say("250 2.1.5 fine")?;
            }
            "DATA" => {
                say("354 go on")?;
                let bytes = content(&mut reader)?;
                take(state, Taken { recipients: std::mem::take(&mut recipients), bytes });
                say("250 2.0.0 taken")?;
            }
            "QUIT" => return say("221 bye"),
            _ => {
                recipients.clear();
                say("250 2.0.0 fine")?;
            }
        }
    }
}

/// Reads to the dot; gives the number of bytes before it.
fn content(reader: &mut impl BufRead) -> Option<usize> {
    let (mut bytes, mut line) = (0, Vec::new());
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        if line == b".\r\n" {
            return Some(bytes);
        }
        bytes += line.len();
    }
}

/// Waits until a transaction may begin.
fn begin(state: &(Mutex<State>, Condvar)) {
    let (lock, released) = state;
    let mut state = lock.lock().unwrap_or_else(PoisonError::into_inner);
    state.unbegun += 1;
    while state.silent_after.is_some_and(|mails| state.taken.len() >= mails) {
        state = released.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    state.unbegun -= 1;
}

/// Whether a transaction with so many recipients takes no more.
fn is_enough(state: &(Mutex<State>, Condvar), recipients: usize) -> bool {
    let state = state.0.lock().unwrap_or_else(PoisonError::into_inner);
    state.at_once.is_some_and(|at_once| recipients >= at_once)
}

/// Remembers a mail, and waits until it may be answered.
fn take(state: &(Mutex<State>, Condvar), mail: Taken) {
    let (lock, released) = state;
    let mut state = lock.lock().unwrap_or_else(PoisonError::into_inner);
    state.taken.push(mail);
    state.unanswered += 1;
    while state.holds {
        state = released.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    state.unanswered -= 1;
}
