//! The parent's side: starts a child, gives it its task, and waits for the answer, but not for ever.

use super::places::ChildPlaces;
use super::{ARGUMENT, Asker, AssetBytes, ChildAnswer, ProgramIdentity, Request, frame};
use std::io::{self, Write};
use std::os::unix::process::{CommandExt as _, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Wall time over the processor time that a task may take. The system ends a child that has used up the latter; this is
/// for one that waits for ever. A child is nice: where others keep the processors busy it may get a small part of one,
/// and is not to be blamed for that.
const PATIENCE: u32 = 10;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChildFault {
    /// The guest's code used up what the child may use, or broke it.
    Guest(String),
    /// The child could not be run.
    Host(String),
}

/// Starts children, a few at a time.
#[derive(Debug)]
pub(crate) struct Children {
    program: PathBuf,
    identity: ProgramIdentity,
    places: ChildPlaces,
}

impl Children {
    pub(crate) fn new(program: PathBuf) -> Self {
        Self { identity: ProgramIdentity::of(&program), program, places: ChildPlaces::default() }
    }

    /// What is started, and which program that is to be.
    pub(crate) fn program(&self) -> (&Path, &ProgramIdentity) {
        (&self.program, &self.identity)
    }

    /// Has a task done, with a component and assets. Blocks, also until there is a place for the asker.
    pub(crate) fn run(
        &self,
        asker: Asker,
        request: &Request,
        component: &[u8],
        assets: &AssetBytes,
    ) -> Result<(ChildAnswer, Vec<u8>), ChildFault> {
        let _place = self.places.take(asker);
        let seconds = request.task.processor_seconds(component, assets);
        let mut child = command(&self.program, ARGUMENT)
            .spawn()
            .map_err(|error| ChildFault::Host(format!("{} could not be run: {error}", self.program.display())))?;
        let patience = Duration::from_secs(seconds) * PATIENCE;
        let answer = converse(&mut child, (&self.identity, request), (component, assets), patience);
        if answer.is_none() {
            child.kill().ok();
        }
        let ended = child.wait();
        match (answer, ended) {
            (Some(Ok(answer)), _) => Ok(answer),
            (Some(Err(_)), Ok(status)) => Err(fault(status, seconds)),
            (None, _) => Err(ChildFault::Guest(format!("it took longer than {} s", seconds * u64::from(PATIENCE)))),
            (_, Err(error)) => Err(ChildFault::Host(format!("the child process was lost: {error}"))),
        }
    }
}

/// A child of the binary that this argument makes one: it speaks over its pipes alone, and is told nothing of the environment.
pub(crate) fn command(program: &Path, argument: &str) -> Command {
    let mut command = Command::new(program);
    // What lists of processes show.
    command.arg0("postigo").arg(argument);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).env_clear();
    command
}

type AnswerRead = io::Result<(ChildAnswer, Vec<u8>)>;

/// Writes whom the request is for, and the request, and reads the answer; none when that takes too long.
fn converse(
    child: &mut Child,
    (identity, request): (&ProgramIdentity, &Request),
    (component, assets): (&[u8], &AssetBytes),
    patience: Duration,
) -> Option<AnswerRead> {
    let (Some(mut to), Some(mut from)) = (child.stdin.take(), child.stdout.take()) else {
        return Some(Err(io::ErrorKind::BrokenPipe.into()));
    };
    let (sender, receiver) = mpsc::channel();
    // The reader ends when the child does: its pipe closes then.
    let reader =
        std::thread::Builder::new().name("child-answer".into()).spawn(move || sender.send(frame::read(&mut from)).ok());
    if let Err(error) = reader {
        return Some(Err(error));
    }
    // A child that dies early closes its pipe; what became of it says its status.
    send(&mut to, (identity, request), (component, assets)).ok();
    drop(to);
    receiver.recv_timeout(patience).ok()
}

/// Writes whom a request is for, the request, and what belongs to it.
pub(crate) fn send(
    to: &mut impl Write,
    (identity, request): (&ProgramIdentity, &Request),
    (component, assets): (&[u8], &AssetBytes),
) -> io::Result<()> {
    frame::write(to, identity, &[])?;
    frame::write(to, request, component)?;
    assets.iter().try_for_each(|(digest, bytes)| frame::write(to, digest, bytes))
}

fn fault(status: ExitStatus, seconds: u64) -> ChildFault {
    // Signal numbers of signal(7).
    match status.signal() {
        Some(9 | 24) => ChildFault::Guest(format!("it took more than {seconds} s of processor time")),
        Some(6) => ChildFault::Guest("it took more memory than it may".into()),
        Some(signal) => ChildFault::Guest(format!("it broke the child process that looked at it (signal {signal})")),
        None => ChildFault::Host(format!("the child process ended without an answer ({status})")),
    }
}
