//! The child's side: one instance of the component, configured with the filter that is trained, takes the examples as
//! they come in and gives the model.

use super::error::TrainError;
use super::protocol::{ChildWord, Order, ParentWord};
use super::task::{ExampleMail, TrainingLimits};
use crate::assets::GroupAssets;
use crate::budget::GuestReservation;
use crate::cache_folder::CacheFolder;
use crate::child::{AssetBytes, ProgramIdentity, confinement, frame, group_members};
use crate::clock::processor_time;
use crate::component::Outside;
use crate::contract::{CallFailure, GroupMember};
use crate::engine::ChildEngine;
use crate::fit::world_of;
use crate::functions::Functions;
use crate::guest_log::one_line;
use crate::lesson::{LabelledExample, LearningTask};
use crate::limits::LOG_LINE;
use crate::refusal::{PrepareError, UploadRefusal};
use crate::sandbox::StoreData;
use crate::snapshot::{instrument, start_to_train};
use crate::template::{Instance, LinkedComponent};
use crate::world::{RawModel, TrainingCalls};
use crate::worlds::WORLDS;
use postigo_mail::{Envelope, Mail, Message, OpenedMessage, Vocabulary};
use postigo_model::guest::FailureKind;
use postigo_supervision as supervision;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of memory that the child itself may have, beside its guest: a compiler's, where code has to be compiled.
const DATA: u64 = 3 << 30;
/// Bytes of address space, which wasmtime reserves a lot of.
const ADDRESS_SPACE: u64 = 1 << 40;
/// Mail goes first.
const NICE: i32 = 10;
/// How often the parent hears how far it is.
const TOLD: Duration = Duration::from_millis(100);
/// Passes that a guest may want.
const PASSES: u32 = 32;
/// Bytes of a summary.
const SUMMARY: usize = 16 << 10;

/// The child's whole life. `main` of the binary calls it when its first argument is [`ARGUMENT`](super::ARGUMENT),
/// before anything else.
pub fn main() -> ExitCode {
    // A panic is an answer here, not a message for the daemon's log.
    std::panic::set_hook(Box::new(|_| {}));
    let worked = confine().and_then(|()| work());
    if worked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn confine() -> io::Result<()> {
    confinement::begin(NICE)?;
    confinement::limit_address_space(ADDRESS_SPACE)?;
    confinement::limit_memory(DATA)
}

fn work() -> io::Result<()> {
    let (identity, _) = frame::read::<ProgramIdentity>(&mut io::stdin().lock())?;
    if let Err(reason) = identity.check() {
        return say(&ChildWord::Failed(TrainError::Unavailable(reason)), &[]);
    }
    let (order, component) = frame::read::<Order>(&mut io::stdin().lock())?;
    confinement::limit_memory(DATA.saturating_add(order.limits.memory))?;
    confinement::limit_processor(order.limits.wall.as_secs().saturating_add(1))?;
    let assets = (0..order.assets).map(|_| asset()).collect::<io::Result<AssetBytes>>()?;
    let trained = supervision::catch(|| train(&order, &component, &assets)).unwrap_or_else(|panic| {
        Err(TrainError::Unavailable(format!("the child process panicked: {}", one_line(&panic.to_string(), LOG_LINE))))
    });
    match trained {
        Ok((word, model)) => say(&word, &model),
        Err(error) => say(&ChildWord::Failed(error), &[]),
    }
}

/// The next asset on standard input.
fn asset() -> io::Result<(String, Arc<[u8]>)> {
    let (digest, bytes) = frame::read(&mut io::stdin().lock())?;
    Ok((digest, bytes.into()))
}

fn say(word: &ChildWord, behind: &[u8]) -> io::Result<()> {
    frame::write(&mut io::stdout().lock(), word, behind)
}

/// Without its parent there is nobody to hear of it.
fn lost(error: &io::Error) -> TrainError {
    TrainError::Unavailable(format!("the parent process was lost: {error}"))
}

fn train(order: &Order, component: &[u8], assets: &AssetBytes) -> Result<(ChildWord, Vec<u8>), TrainError> {
    let kept = CacheFolder::open(&order.cache).map_err(|error| TrainError::Unavailable(error.to_string()))?;
    let functions = Arc::new(Functions::read(&kept.functions_path(&order.digest)));
    let engine = ChildEngine::start(kept.folder(), WORLDS, functions)
        .map_err(|error| TrainError::Unavailable(error.to_string()))?;
    let refused = |refused: UploadRefusal| TrainError::Prepare(PrepareError::Refused(refused.shortened()));
    Outside::read(component).and_then(|outside| world_of(&outside, engine.loader.worlds)).map_err(refused)?;
    // The code of what is instrumented was compiled when the component was looked at.
    let instrumented = instrument(component).map(|(_, instrumented)| instrumented);
    let template =
        LinkedComponent::new(&engine.loader, instrumented.as_deref().unwrap_or(component)).map_err(refused)?;
    let calls = template.calls().training().ok_or(TrainError::NotTrainable)?;
    let members = group_members(std::slice::from_ref(&order.member), assets);
    let mut guest = TrainedGuest::start(&template, calls, &members, order)?;
    let passes = guest.begin(&order.task)?;
    say(&ChildWord::Begun { passes }, &[]).map_err(|error| lost(&error))?;
    let mut told = Instant::now();
    let mut learnt = 0;
    loop {
        let (word, raw) = frame::read::<ParentWord>(&mut io::stdin().lock()).map_err(|error| lost(&error))?;
        let ParentWord::Example { example, account, received_at, recipients } = word else { break };
        guest.learn(mail(ExampleMail { raw, account, received_at, recipients }), &example)?;
        learnt += 1;
        if told.elapsed() >= TOLD {
            told = Instant::now();
            say(&ChildWord::Learnt(learnt), &[]).map_err(|error| lost(&error))?;
        }
    }
    let model = guest.finish()?;
    let (own, memory) = (guest.own, guest.instance.store.data().meter.used());
    Ok((ChildWord::Trained { format: model.format, summary: model.summary, own, memory }, model.bytes))
}

/// An example's mail as a filter would see it, but for headers that act on a desk.
fn mail(mail: ExampleMail) -> Box<Mail> {
    let ExampleMail { raw, account, received_at, recipients } = mail;
    let opened = OpenedMessage::as_it_came(Message::parse(raw.into()));
    let envelope = Envelope { account, trusted: false, received_at, recipients };
    Box::new(opened.vet(envelope, &Vocabulary::default()).0.compute())
}

/// The guest that is trained.
struct TrainedGuest<'t> {
    instance: Instance,
    calls: &'t dyn TrainingCalls,
    formats: Vec<String>,
    limits: TrainingLimits,
    /// The guest's own time so far.
    own: Duration,
}

impl<'t> TrainedGuest<'t> {
    fn start(
        template: &LinkedComponent,
        calls: &'t dyn TrainingCalls,
        members: &[GroupMember],
        order: &Order,
    ) -> Result<Self, TrainError> {
        let held = Arc::new(GuestReservation::uncounted());
        let instance = start_to_train(template, members, &order.grants, order.limits.memory, held)
            .map_err(|error| TrainError::Prepare(error.shortened()))?;
        let mut guest = Self { instance, calls, formats: Vec::new(), limits: order.limits, own: Duration::ZERO };
        guest.instance.store.data_mut().give_assets(Some(Arc::new(GroupAssets::of(members))));
        guest.formats = guest.call(|calls, instance| calls.formats(&mut instance.store, &instance.raw).map(Ok))?;
        Ok(guest)
    }

    fn begin(&mut self, task: &LearningTask) -> Result<u32, TrainError> {
        let passes = self.call(|calls, instance| calls.begin(&mut instance.store, &instance.raw, task))?;
        if (1..=PASSES).contains(&passes) {
            return Ok(passes);
        }
        Err(output(format!(
            "the classifier wants to see the examples {passes} times; once to {PASSES} times is possible"
        )))
    }

    fn learn(&mut self, mail: Box<Mail>, example: &LabelledExample) -> Result<(), TrainError> {
        let learnt = self.call(|calls, instance| {
            let lent = instance.store.data_mut().lend(mail);
            calls.learn(&mut instance.store, &instance.raw, lent, example)
        });
        self.instance.store.data_mut().take_back();
        learnt
    }

    fn finish(&mut self) -> Result<RawModel, TrainError> {
        let most = self.limits.model;
        // What is larger than a model and all that may be said of it ends the call before it is copied.
        self.instance.store.set_hostcall_fuel(most.saturating_add(1 << 20));
        let finished = self.call(|calls, instance| calls.finish(&mut instance.store, &instance.raw));
        let model = match finished {
            // wasmtime has no type for it.
            Err(TrainError::Failed(failure)) if failure.message.contains("fuel allocated for hostcalls") => {
                return Err(TrainError::ModelTooLarge { most });
            }
            finished => finished?,
        };
        if model.bytes.len() > most {
            return Err(TrainError::ModelTooLarge { most });
        }
        if !self.formats.contains(&model.format) {
            let named = one_line(&model.format, LOG_LINE);
            return Err(output(format!(
                "the model has the format {named:?}, which the component does not name among those that it reads"
            )));
        }
        if model.summary.len() > SUMMARY {
            let bytes = model.summary.len();
            return Err(output(format!("the model's summary has {bytes} bytes; at most {SUMMARY} are taken")));
        }
        Ok(model)
    }

    /// Makes a call within what is left of the guest's time.
    fn call<T>(
        &mut self,
        call: impl FnOnce(&dyn TrainingCalls, &mut Instance) -> wasmtime::Result<Result<T, String>>,
    ) -> Result<T, TrainError> {
        let timeout = TrainError::Timeout { seconds: self.limits.time.as_secs() };
        let left = self.limits.time.saturating_sub(self.own);
        if left.is_zero() {
            return Err(timeout);
        }
        let sandbox = self.instance.store.data_mut();
        sandbox.set_time(left);
        sandbox.begin(None);
        let before = processor_time();
        let called = call(self.calls, &mut self.instance);
        let spent = processor_time().zip(before).map(|(after, before)| after.saturating_sub(before));
        let sandbox = self.instance.store.data_mut();
        let (by_its_clock, host) = sandbox.end();
        // A training is many short calls, of which each would count its wait for a processor.
        self.own += spent.map_or(by_its_clock, |spent| spent.saturating_sub(host).min(by_its_clock));
        let wrote = crate::configure::last_words(&mut self.instance);
        let sandbox: &StoreData = self.instance.store.data();
        match called {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(sentence)) => {
                let sentence = one_line(&sentence, LOG_LINE);
                let returned = sandbox.returned_error(&sentence);
                if returned.kind == FailureKind::Denied {
                    Err(TrainError::Failed(returned))
                } else {
                    Err(TrainError::Refused(sentence))
                }
            }
            Err(error) => match sandbox.failure(&error) {
                CallFailure { kind: FailureKind::Timeout, .. } => Err(timeout),
                failure => Err(TrainError::Failed(failure.with_last_words(&wrote))),
            },
        }
    }
}

fn output(message: String) -> TrainError {
    TrainError::Failed(CallFailure { kind: FailureKind::Output, message })
}
