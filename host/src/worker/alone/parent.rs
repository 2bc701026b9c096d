//! The parent's side: starts a child for a message, answers what it asks, and waits for what it hands back, but not for
//! ever.

use super::death::{ChildLimits, ProcessEnd, judge};
use super::job::{AloneJob, LookUp, MessageProcess};
use super::observation::{ChildState, MemoryGrowth, state_of};
use super::protocol::{ARGUMENT, ChildWord, Order, ParentWord};
use crate::chain::ChainRecord;
use crate::worker::budget::memory_of;
use postigo_sandbox::RuntimeOptions;
use postigo_sandbox::child::{ProgramIdentity, frame};
use serde::Serialize;
use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Seconds of processor time that a message may take: the chain has ten, reading the largest mails takes a few.
const PROCESSOR: u64 = 60;
/// Bytes of memory beside what is reckoned with for the message and what guests may hold: that it cannot go beyond, and
/// that it goes beyond only where something is wrong.
const SPARE: (u64, u64) = (256 << 20, 64 << 20);
/// Whoever waits looks so often whether the host stops.
const TICK: Duration = Duration::from_millis(100);
/// A child says its next word before it has stood still for so many ticks, or gone on for so many: it is nice, and may get
/// a small part of a busy processor. They are counted, since a clock goes on while parent and child stand still.
const PATIENCE: u32 = 3_000;
/// What kills parent and child, a service manager or the end of all memory, kills one of them first: a death counts
/// only when the parent has outlived it for so many ticks.
const OUTLIVED: u32 = 20;
/// Bytes that are kept of what a child says on standard error.
const LAST_WORDS: u64 = 16 << 10;

/// Processes of this binary.
#[derive(Debug)]
pub struct ChildProcess {
    program: PathBuf,
    identity: ProgramIdentity,
    cache: PathBuf,
    guest_memory: u64,
    memory: Option<u64>,
    /// In ticks.
    patience: u32,
}

impl ChildProcess {
    /// With the sandbox's program, cache and memory.
    pub fn new(sandbox: &RuntimeOptions) -> Self {
        Self {
            program: sandbox.program.clone(),
            identity: ProgramIdentity::of(&sandbox.program),
            cache: std::path::absolute(&sandbox.cache).unwrap_or_else(|_| sandbox.cache.clone()),
            guest_memory: sandbox.memory,
            memory: None,
            patience: PATIENCE,
        }
    }

    /// With another limit of memory than a message's size gives.
    #[must_use]
    pub fn with_memory(self, bytes: u64) -> Self {
        Self { memory: Some(bytes), ..self }
    }

    fn limits(&self, job: &AloneJob) -> ChildLimits {
        let of_the_mail = memory_of(job.raw.len() as u64);
        let reckoned = of_the_mail.saturating_add(self.guest_memory);
        let memory = self.memory.unwrap_or_else(|| reckoned.saturating_add(of_the_mail).saturating_add(SPARE.0));
        ChildLimits { memory, reckoned: reckoned.saturating_add(SPARE.1).min(memory), processor: PROCESSOR }
    }
}

impl MessageProcess for ChildProcess {
    fn run(
        &self,
        job: &AloneJob,
        look_up: &mut LookUp<'_>,
        stop: &CancellationToken,
    ) -> Result<ChainRecord, ProcessEnd> {
        let mut child = RunningChild::start(&self.program, self.patience, stop)?;
        let (order, components) = Order::of(job, self.cache.clone(), self.guest_memory);
        child.say(self.identity.clone(), []);
        child.say(order, components);
        match child.hear() {
            Ok((ChildWord::Ready, _)) => {}
            Ok((ChildWord::Unable(reason), _)) => return Err(ProcessEnd::NotRun(reason)),
            Ok(_) => return Err(out_of_turn()),
            Err(Silence::Stopped) => return Err(ProcessEnd::Stopped),
            Err(silence) => return Err(child.never_began(&silence)),
        }
        child.begins();
        tracing::debug!(message = job.message, process = child.id(), "a message has a process of its own");
        let limits = self.limits(job);
        let mail = ParentWord::Mail { memory: limits.memory, processor: limits.processor };
        child.say(mail, job.raw.clone());
        loop {
            match child.hear() {
                Ok((ChildWord::Search(search), _)) => child.say(ParentWord::Seen(Box::new(look_up(*search)?)), []),
                Ok((ChildWord::Done, record)) => {
                    return serde_json::from_slice(&record)
                        .map_err(|error| ProcessEnd::NotRun(format!("what it handed back cannot be read: {error}")));
                }
                Ok((ChildWord::Panicked(panic), _)) => return Err(ProcessEnd::Panicked(panic)),
                Ok(_) => return Err(out_of_turn()),
                Err(Silence::Stopped) => return Err(ProcessEnd::Stopped),
                Err(silence) => return Err(child.end(&silence, limits)),
            }
        }
    }
}

/// Why nothing is heard of a child.
enum Silence {
    /// It said nothing for as long as it may stand still, and did.
    StoodStill,
    /// It said nothing for as long as it may go on, and did.
    TooLong,
    /// It is gone.
    Gone,
    /// The host stops.
    Stopped,
}

type Word = (ChildWord, Vec<u8>);
type FrameWriter = Box<dyn FnOnce(&mut ChildStdin) -> io::Result<()> + Send>;

/// A child at work; killed when it is dropped.
struct RunningChild<'s> {
    child: Child,
    /// What writes the next frame.
    to: Sender<FrameWriter>,
    /// What it says, until it cannot be read any more.
    from: Receiver<Word>,
    /// What it said on standard error, once it is gone.
    words: Receiver<String>,
    /// In ticks.
    patience: u32,
    /// What memory it takes for its message.
    growth: Option<MemoryGrowth>,
    stop: &'s CancellationToken,
}

impl<'s> RunningChild<'s> {
    /// Starts it from this thread, which must stay: the system ends the child with the thread.
    fn start(program: &PathBuf, patience: u32, stop: &'s CancellationToken) -> Result<Self, ProcessEnd> {
        let not_run = |error: io::Error| ProcessEnd::NotRun(format!("{} could not be run: {error}", program.display()));
        let mut child = Command::new(program)
            // What lists of processes show.
            .arg0("postigo")
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .env_clear()
            .spawn()
            .map_err(not_run)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let ((to, frames), (heard, from), (said, words)) = (mpsc::channel(), mpsc::channel(), mpsc::channel());
        // Whatever fails from here on ends the child.
        let running = Self { child, to, from, words, patience, growth: None, stop };
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(not_run(io::ErrorKind::BrokenPipe.into()));
        };
        beside("message-child-in", move || write_all(stdin, frames)).map_err(not_run)?;
        beside("message-child-out", move || read_all(stdout, &heard)).map_err(not_run)?;
        let last_words = move || drop(said.send(beginning(stderr)));
        beside("message-child-words", last_words).map_err(not_run)?;
        Ok(running)
    }

    fn id(&self) -> u32 {
        self.child.id()
    }

    /// Says something, beside what this thread does: a child may be slow to listen. One that is gone hears nothing; what
    /// became of it is asked next.
    fn say(&self, word: impl Serialize + Send + 'static, following: impl AsRef<[u8]> + Send + 'static) {
        let write = move |to: &mut ChildStdin| frame::write(to, &word, following.as_ref());
        self.to.send(Box::new(write)).ok();
    }

    /// It is ready, and gets its message next: what it takes from now on is for that.
    fn begins(&mut self) {
        self.growth = MemoryGrowth::from_now(self.id());
    }

    /// The next word.
    fn hear(&mut self) -> Result<Word, Silence> {
        let (mut stood_still, mut went_on) = (0, 0);
        loop {
            match self.from.recv_timeout(TICK) {
                Ok(word) => return Ok(word),
                Err(RecvTimeoutError::Disconnected) => return Err(Silence::Gone),
                Err(RecvTimeoutError::Timeout) if self.stop.is_cancelled() => return Err(Silence::Stopped),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let id = self.id();
            self.growth.iter_mut().for_each(|growth| growth.look(id));
            let (ticks, silence) = match state_of(id) {
                ChildState::StandsStill => (&mut stood_still, Silence::StoodStill),
                ChildState::GoesOn => (&mut went_on, Silence::TooLong),
            };
            *ticks += 1;
            if *ticks >= self.patience {
                return Err(silence);
            }
        }
    }

    /// Its patience.
    fn seconds(&self) -> u64 {
        (TICK * self.patience).as_secs()
    }

    /// It has not begun with the message: nothing is said of that.
    fn never_began(&mut self, silence: &Silence) -> ProcessEnd {
        ProcessEnd::NotRun(match (silence, self.status()) {
            (Silence::StoodStill | Silence::TooLong, _) => format!("it was not ready within {} s", self.seconds()),
            (_, Some(status)) => format!("it ended before it had the message ({status})"),
            _ => "it ended before it had the message".to_owned(),
        })
    }

    /// How it ended, where it has: its output ends a little before it.
    fn status(&mut self) -> Option<ExitStatus> {
        for _ in 0..OUTLIVED {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(TICK),
                ended => return ended.ok().flatten(),
            }
        }
        None
    }

    /// What the end of a child says that had begun with the message.
    fn end(&mut self, silence: &Silence, limits: ChildLimits) -> ProcessEnd {
        let end = match silence {
            // One that could go on says nothing of its message, but of the machine.
            Silence::TooLong => ProcessEnd::NotRun(format!(
                "it had not come to an end within {} s, for want of a processor or a disk, or since it was stopped, and was ended",
                self.seconds()
            )),
            Silence::StoodStill => {
                ProcessEnd::Died(format!("it had stood still for {} s, and was ended", self.seconds()))
            }
            Silence::Gone | Silence::Stopped => match self.status() {
                Some(status) => {
                    let words = self.words.recv_timeout(TICK * OUTLIVED).unwrap_or_default();
                    judge(status, &words, limits, self.growth.map(|growth| growth.bytes()))
                }
                None => ProcessEnd::NotRun("nothing that it said could be read".to_owned()),
            },
        };
        for _ in 0..OUTLIVED {
            if self.stop.is_cancelled() {
                return ProcessEnd::Stopped;
            }
            thread::sleep(TICK);
        }
        end
    }
}

impl Drop for RunningChild<'_> {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn out_of_turn() -> ProcessEnd {
    ProcessEnd::NotRun("it said something that it was not asked".to_owned())
}

fn beside(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Writes frames until there are no more, or the child is gone.
fn write_all(mut to: ChildStdin, frames: Receiver<FrameWriter>) {
    for write in frames {
        if write(&mut to).is_err() {
            return;
        }
    }
}

/// Reads the child's words until it is gone, or nobody listens.
fn read_all(mut from: ChildStdout, heard: &Sender<Word>) {
    while let Ok(word) = frame::read(&mut from) {
        if heard.send(word).is_err() {
            return;
        }
    }
}

/// The beginning of what is said; the rest is read, so that the pipe does not fill.
fn beginning(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    from.by_ref().take(LAST_WORDS).read_to_end(&mut bytes).ok();
    io::copy(&mut from, &mut io::sink()).ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
