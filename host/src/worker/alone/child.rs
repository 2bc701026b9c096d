//! The child's side: one message, within limits that the system enforces.

use super::observation::kibibytes;
use super::protocol::{ChildWord, Order, ParentWord};
use crate::chain::{self, ChainRecord, LazySandbox, Mode, Sandbox};
use crate::filing::{self, Circumstances, CustomerLookup};
use crate::worker::live::LiveConfiguration;
use crate::worker::reading::{self, ReadMessage};
use bytes::Bytes;
use postigo_mail::{Envelope, Mail, Vocabulary, delivery_report};
use postigo_model::ticket::{FollowedTicket, TicketMatch};
use postigo_sandbox::RuntimeOptions;
use postigo_sandbox::child::{ProgramIdentity, confinement, frame, own_program};
use postigo_supervision as supervision;
use serde::Serialize;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};

/// Mail of other accounts comes first, but those behind this message wait for it.
const NICE: i32 = 5;
/// The memory that is reckoned with for a child without its message, where the system does not say it.
const USUAL_MEMORY: u64 = 1 << 30;

/// The child's whole life: one message. `main` of the binary calls it when its first argument is
/// [`ARGUMENT`](super::ARGUMENT), before anything else.
pub fn main() -> ExitCode {
    // A panic is an answer here, not a message for the daemon's log.
    std::panic::set_hook(Box::new(|_| {}));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let worked = confinement::begin(NICE).and(runtime).and_then(|runtime| {
        let _inside = runtime.enter();
        leave_ending_to_the_parent()?;
        work()
    });
    if worked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What ends a service, or comes from the terminal, is sent to parent and child alike: the parent decides.
fn leave_ending_to_the_parent() -> io::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup(), SignalKind::quit()] {
        // Once listened to, it ends the process no more, whoever listens.
        drop(signal(kind)?);
    }
    Ok(())
}

fn work() -> io::Result<()> {
    let began = Instant::now();
    let (identity, _) = frame::read::<ProgramIdentity>(&mut io::stdin().lock())?;
    if let Err(reason) = identity.check() {
        return say(&ChildWord::Unable(reason), &[]);
    }
    let (order, following) = frame::read::<Order>(&mut io::stdin().lock())?;
    let (mode, envelope) = (order.mode, order.envelope());
    let (setup, sandbox) = match prepare(order, &following) {
        Ok(prepared) => prepared,
        Err(reason) => return say(&ChildWord::Unable(reason), &[]),
    };
    drop(following);
    say(&ChildWord::Ready, &[])?;
    let (word, raw) = frame::read::<ParentWord>(&mut io::stdin().lock())?;
    let ParentWord::Mail { memory, processor } = word else { return Err(out_of_turn()) };
    confinement::limit_memory(memory.saturating_add(memory_now()))?;
    // What preparing took is not the message's, however many threads it had; a part of a second counts as one.
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64).saturating_add(1);
    let prepared = began.elapsed().as_secs().saturating_add(1).saturating_mul(threads);
    confinement::limit_processor(processor.saturating_add(prepared))?;
    let read = on_guest_thread(&sandbox, {
        let setup = Arc::clone(&setup);
        move || read(raw.into(), envelope, &setup)
    });
    let ReadMessage { mail, search, .. } = match read {
        Ok(read) => read,
        Err(panic) => return say(&ChildWord::Panicked(panic), &[]),
    };
    say(&ChildWord::Search(Box::new(search)), &[])?;
    let (word, _) = frame::read::<ParentWord>(&mut io::stdin().lock())?;
    let ParentWord::Seen(seen) = word else { return Err(out_of_turn()) };
    match on_guest_thread(&sandbox, move || through_chain(mail, *seen, &setup, mode)) {
        Ok(record) => say(&ChildWord::Done, &serde_json::to_vec(&record)?),
        Err(panic) => say(&ChildWord::Panicked(panic), &[]),
    }
}

fn prepare(order: Order, following: &[u8]) -> Result<(Arc<LiveConfiguration>, LazySandbox), String> {
    let program = own_program().map_err(|error| format!("the program is not found: {error}"))?;
    let options = RuntimeOptions::new(order.cache.clone(), program);
    let sandbox = LazySandbox::new(RuntimeOptions { threads: Some(1), memory: order.guest_memory, ..options });
    let configuration = order.configuration();
    let vocabulary = Vocabulary::of(&configuration);
    let bytes = order.by_digest(following);
    if !bytes.is_empty() {
        // Without it no filter has its place, which says nothing of them.
        sandbox.runtime().map_err(|error| format!("the sandbox cannot be started: {error}"))?;
    }
    let plan = order.plan.prepare(&bytes, &sandbox)?;
    Ok((Arc::new(LiveConfiguration::new(configuration, plan, vocabulary)), sandbox))
}

/// Reads the mail, with all that is read of it later, in the parent: there it is known to be harmless.
fn read(raw: Bytes, envelope: Envelope, setup: &LiveConfiguration) -> ReadMessage {
    let read = reading::read(reading::open(raw), envelope, setup);
    let mail = &read.mail;
    let _ = (mail.text(), mail.html(), mail.message().cuts(), delivery_report(mail.message()));
    for index in 0..mail.attachments().len() {
        let _ = mail.attachment_bytes(index);
    }
    read
}

fn through_chain(mut mail: Mail, seen: Option<FollowedTicket>, setup: &LiveConfiguration, mode: Mode) -> ChainRecord {
    mail.set_ticket(seen);
    let run = chain::run(&setup.plan, &setup.vocabulary, Box::new(mail), mode);
    let record = ChainRecord::of(&run);
    // What the mail becomes is decided in the parent, from what the database has; here it only must do no harm.
    let circumstances = Circumstances {
        configuration: &setup.configuration,
        found: &TicketMatch::default(),
        customers: &CustomerLookup::default(),
        internal_mails: &[],
        now: postigo_model::timestamp::now(),
    };
    drop(filing::decide(&run.mail, &circumstances));
    record
}

/// The error is what is told of a panic.
fn on_guest_thread<T: Send + 'static>(
    sandbox: &LazySandbox,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (sender, receiver) = mpsc::channel();
    sandbox.execute(Box::new(move || {
        // Whoever asked waits for nothing else.
        sender.send(supervision::catch(work)).ok();
    }));
    match receiver.recv() {
        Ok(worked) => worked.map_err(|panic| panic.to_string()),
        Err(_) => Err("the thread that worked on it ended before it was done".to_owned()),
    }
}

fn say(word: &impl Serialize, following: &[u8]) -> io::Result<()> {
    frame::write(&mut io::stdout().lock(), word, following)
}

fn out_of_turn() -> io::Error {
    io::Error::other("the parent said something that it was not asked")
}

/// Bytes of memory of this process that the limit counts.
fn memory_now() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    kibibytes(&status, "VmData:").map_or(USUAL_MEMORY, |kibibytes| kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_the_code_that_works_on_a_mail_is_an_answer() {
        let sandbox = LazySandbox::new(RuntimeOptions::new("cache".into(), "postigo".into()));
        let panicked = on_guest_thread::<()>(&sandbox, || panic!("no such mail"));
        let told = panicked.unwrap_err();
        assert!(told.starts_with("no such mail (") && told.contains("child.rs"), "{told}");
        assert_eq!(on_guest_thread(&sandbox, || 1), Ok(1));
    }
}
