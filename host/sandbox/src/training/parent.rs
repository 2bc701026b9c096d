//! The parent's side: starts the child, hands it the examples in their order, tells how far it is, and ends it where it
//! takes too long or is not wanted any more.

use super::ARGUMENT;
use super::error::TrainError;
use super::order::shuffled;
use super::protocol::{ChildWord, Order, ParentWord};
use super::task::{ExampleMail, TrainedModel, TrainingProgress, TrainingSpec};
use crate::Runtime;
use crate::child::{AssetBytes, NamedSettings, ProgramIdentity, bytes_of_assets, command, frame};
use crate::lesson::{LearningTask, Purpose};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked whether the training is still wanted.
const LOOK: Duration = Duration::from_millis(100);

/// What the threads at the child's pipes tell.
enum Event {
    /// The child said this, with these bytes behind it; or it said no more.
    Said(io::Result<(ChildWord, Vec<u8>)>),
    /// The mail of this example could not be had.
    NoMail { index: usize, reason: String },
}

/// Where examples come from: the mail of the example at this place in [`TrainingSpec::examples`], or why it cannot be
/// had, a clause. Asked as often as the guest wants to see them.
type MailOf<'m> = dyn FnMut(usize) -> Result<ExampleMail, String> + Send + 'm;

impl Runtime {
    /// Trains a classifier, in a child process of its own. `mail_of` gives the mail of an example, by its place among
    /// them; it is asked on another thread, as often as the guest wants to see the examples. `progress` hears ten times
    /// a second how far it is, and ends the training where it breaks.
    ///
    /// Blocks for as long as it takes, minutes at worst. How many run at once is the caller's to see to: each may take
    /// the memory of its limits, and that of a compiler for a moment.
    pub fn train(
        &self,
        spec: &TrainingSpec,
        mail_of: &mut MailOf<'_>,
        progress: &mut dyn FnMut(TrainingProgress) -> ControlFlow<()>,
    ) -> Result<TrainedModel, TrainError> {
        spec.check()?;
        crate::check_assets(std::slice::from_ref(&spec.member)).map_err(TrainError::Prepare)?;
        let assets = bytes_of_assets(std::slice::from_ref(&spec.member));
        let order = Order {
            cache: self.cache_folder().to_owned(),
            digest: spec.digest.clone(),
            member: NamedSettings::of(&spec.member),
            grants: spec.grants.clone(),
            task: LearningTask::of(spec),
            limits: spec.limits,
            assets: assets.len(),
        };
        let (program, identity) = self.program();
        let mut child = command(program, ARGUMENT)
            .spawn()
            .map_err(|error| TrainError::Unavailable(format!("{} could not be run: {error}", program.display())))?;
        let trained = match (child.stdin.take(), child.stdout.take()) {
            (Some(to), Some(from)) => {
                let talk = Talk { spec, identity, order: &order, assets: &assets };
                talk.hold(&mut child, (to, from), mail_of, progress)
            }
            _ => Err(TrainError::Unavailable("its pipes could not be opened".into())),
        };
        child.kill().ok();
        child.wait().ok();
        trained
    }
}

/// What parent and child talk about.
struct Talk<'t> {
    spec: &'t TrainingSpec,
    identity: &'t ProgramIdentity,
    order: &'t Order,
    assets: &'t AssetBytes,
}

impl Talk<'_> {
    /// Talks until there is a model, or none. The child is dead afterwards, or about to end.
    fn hold(
        &self,
        child: &mut Child,
        (to, mut from): (ChildStdin, ChildStdout),
        mail_of: &mut MailOf<'_>,
        progress: &mut dyn FnMut(TrainingProgress) -> ControlFlow<()>,
    ) -> Result<TrainedModel, TrainError> {
        let (events, heard) = mpsc::channel();
        thread::scope(|scope| {
            // Gone before the threads are waited for, so that the writer does not wait for passes that never come.
            let (passes_to, passes_from) = mpsc::channel();
            let told = events.clone();
            let writer = thread::Builder::new()
                .name("training-examples".into())
                .spawn_scoped(scope, move || self.write(to, &passes_from, mail_of, &told));
            let reader = thread::Builder::new().name("training-answer".into()).spawn_scoped(scope, move || {
                loop {
                    let said = frame::read::<ChildWord>(&mut from);
                    let last = !matches!(&said, Ok((ChildWord::Begun { .. } | ChildWord::Learnt(_), _)));
                    if events.send(Event::Said(said)).is_err() || last {
                        return;
                    }
                }
            });
            let trained = match writer.and(reader) {
                Ok(_) => self.listen(child, &heard, &passes_to, progress),
                Err(error) => Err(TrainError::Unavailable(error.to_string())),
            };
            // Whoever waits for the child in one of the threads does so no longer.
            child.kill().ok();
            trained
        })
    }

    /// Writes the order, and the examples once it is known how often they are wanted.
    fn write(&self, mut to: ChildStdin, passes: &Receiver<u32>, mail_of: &mut MailOf<'_>, told: &Sender<Event>) {
        // A child that dies early closes its pipe; what became of it is said by its status.
        if self.write_order(&mut to).is_err() {
            return;
        }
        let Ok(passes) = passes.recv() else { return };
        for index in examples_in_order(self.spec, passes) {
            let Some(example) = self.spec.examples.get(index) else { continue };
            let mail = match mail_of(index) {
                Ok(mail) => mail,
                Err(reason) => {
                    // Nobody listens any more where this fails.
                    told.send(Event::NoMail { index, reason }).ok();
                    return;
                }
            };
            let ExampleMail { raw, account, received_at, recipients } = mail;
            let word = ParentWord::Example { example: example.clone(), account, received_at, recipients };
            if frame::write(&mut to, &word, &raw).is_err() {
                return;
            }
        }
        frame::write(&mut to, &ParentWord::Finish, &[]).ok();
    }

    fn write_order(&self, to: &mut impl Write) -> io::Result<()> {
        frame::write(to, self.identity, &[])?;
        frame::write(to, self.order, &self.spec.component)?;
        self.assets.iter().try_for_each(|(digest, bytes)| frame::write(to, digest, bytes))
    }

    /// Hears what the child says, until its last word.
    fn listen(
        &self,
        child: &mut Child,
        heard: &Receiver<Event>,
        passes_to: &Sender<u32>,
        progress: &mut dyn FnMut(TrainingProgress) -> ControlFlow<()>,
    ) -> Result<TrainedModel, TrainError> {
        let began = Instant::now();
        let limits = self.spec.limits;
        let mut begun = 0;
        let mut far = TrainingProgress { learnt: 0, of: 0 };
        loop {
            if progress(far).is_break() {
                return Err(TrainError::Cancelled);
            }
            if began.elapsed() >= limits.wall {
                return Err(TrainError::TooLong { seconds: limits.wall.as_secs() });
            }
            match heard.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Event::Said(Ok((ChildWord::Begun { passes }, _)))) => {
                    begun = passes;
                    far.of = examples_in_order(self.spec, passes).count() as u64;
                    // The writer is gone only where the child is.
                    passes_to.send(passes).ok();
                }
                Ok(Event::Said(Ok((ChildWord::Learnt(learnt), _)))) => far.learnt = learnt,
                Ok(Event::Said(Ok((ChildWord::Trained { format, summary, own, memory }, bytes)))) => {
                    // Whoever listens hears of the end, too, and can still say no.
                    if progress(TrainingProgress { learnt: far.of, ..far }).is_break() {
                        return Err(TrainError::Cancelled);
                    }
                    return Ok(TrainedModel { bytes, format, summary, passes: begun, own, memory });
                }
                Ok(Event::Said(Ok((ChildWord::Failed(error), _)))) => return Err(error),
                Ok(Event::NoMail { index, reason }) => return Err(TrainError::Example { index, reason }),
                Ok(Event::Said(Err(_))) | Err(RecvTimeoutError::Disconnected) => return Err(died(child)),
            }
        }
    }
}

impl LearningTask {
    fn of(spec: &TrainingSpec) -> Self {
        let fit = || spec.examples.iter().filter(|example| example.purpose == Purpose::Fit);
        let mut examples: Vec<Vec<u64>> = spec.topics.iter().map(|topic| vec![0; topic.labels.len()]).collect();
        for example in fit() {
            for (counts, label) in examples.iter_mut().zip(&example.labels) {
                if let Some(count) = label.and_then(|label| counts.get_mut(label as usize)) {
                    *count += 1;
                }
            }
        }
        Self {
            topics: spec.topics.clone(),
            examples,
            fit: spec.count(Purpose::Fit),
            outside: spec.count(Purpose::Outside),
            calibrate: spec.count(Purpose::Calibrate),
            seed: spec.seed,
        }
    }
}

/// The places of the examples in the order in which the guest sees them: all passes over those to fit, each in another
/// order, then those outside, then those to calibrate, as they stand.
fn examples_in_order(spec: &TrainingSpec, passes: u32) -> impl Iterator<Item = usize> {
    let of = |purpose| -> Vec<usize> {
        (0..).zip(&spec.examples).filter(|(_, example)| example.purpose == purpose).map(|(place, _)| place).collect()
    };
    let (fit, outside, calibrate) = (of(Purpose::Fit), of(Purpose::Outside), of(Purpose::Calibrate));
    let seed = spec.seed;
    let fitted = (0..passes).flat_map(move |pass| {
        let order = shuffled(fit.len(), seed, pass);
        order.into_iter().filter_map(|place| fit.get(place).copied()).collect::<Vec<_>>()
    });
    fitted.chain(outside).chain(calibrate)
}

/// What became of a child that said no last word.
fn died(child: &mut Child) -> TrainError {
    // It has closed its pipe, so that it is dead, or about to be.
    match child.wait() {
        Ok(status) => TrainError::Unavailable(how(status)),
        Err(error) => TrainError::Unavailable(format!("the child process was lost: {error}")),
    }
}

/// How it ended, by the signal numbers of signal(7).
fn how(status: ExitStatus) -> String {
    match status.signal() {
        Some(24) => "its process took more processor time than it may".into(),
        Some(6) => "its process took more memory than it may".into(),
        Some(9) => "its process was killed, by an administrator or where memory ran short".into(),
        Some(signal) => format!("its process broke (signal {signal})"),
        None => format!("its process ended without an answer ({status})"),
    }
}
