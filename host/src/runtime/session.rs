//! A session: the calls that one message makes into one group.

use super::bindings::exports::postigo::filter::guest::Verdict as Raw;
use super::contract::{Called, Change, Failure, FailureKind, LogLine, Screened, Verdict};
use super::group::Group;
use super::guest_log::one_line;
use super::limits::{LOG_LINE, RESULT_BYTES};
use super::sandbox::MailHandle;
use super::template::Instance;
use super::threads::bury;
use crate::mail::Mail;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::component::Resource;

/// One message's way through a group. The first call gets a fresh instance of the snapshot, further ones use it again; after a
/// failure the next call gets a new one. What is left is thrown away with the session.
pub struct Session {
    group: Arc<Group>,
    full: bool,
    instance: Option<Instance>,
}

/// What came of a call, with the mail back.
struct Came<T> {
    mail: Box<Mail>,
    log: Vec<LogLine>,
    result: Result<T, Failure>,
}

impl Session {
    pub(super) fn new(group: Arc<Group>, full: bool) -> Self {
        Self { group, full, instance: None }
    }

    /// Asks which filters might match the mail as it is now. Only where [`Group::screens`].
    pub fn screen(&mut self, mail: Box<Mail>) -> Called<Screened> {
        let members = self.group.members();
        let mut read = Vec::new();
        self.call(mail, |instance, mail| {
            let Some(screen) = &instance.screen else {
                return Ok(Err(output("the component does not screen")));
            };
            instance.store.data_mut().note_reads();
            let candidates = screen.call(&mut instance.store, (mail,));
            read = instance.store.data_mut().reads();
            Ok(checked_candidates(candidates?.0, members))
        })
        .with(|candidates| Screened { candidates, read })
    }

    /// Calls a filter, named by its index in the group.
    pub fn evaluate(&mut self, filter: u32, mail: Box<Mail>) -> Called<Verdict> {
        self.call(mail, |instance, mail| {
            let guest = instance.guest.postigo_filter_guest();
            Ok(match guest.call_evaluate(&mut instance.store, filter, mail)? {
                Ok(verdict) => checked_verdict(verdict),
                Err(message) => Err(instance.store.data().returned_error(&one_line(&message, LOG_LINE))),
            })
        })
    }

    fn call<T>(
        &mut self,
        mail: Box<Mail>,
        call: impl FnOnce(&mut Instance, Resource<MailHandle>) -> wasmtime::Result<Result<T, Failure>>,
    ) -> Called<T> {
        let started = Instant::now();
        let Came { mail, log, result } = match self.take_instance() {
            Ok(instance) => self.call_in(instance, mail, call),
            Err(failure) => Came { mail, log: Vec::new(), result: Err(failure) },
        };
        Called { mail, took: started.elapsed(), log, result }
    }

    fn take_instance(&mut self) -> Result<Instance, Failure> {
        match self.instance.take() {
            Some(instance) => Ok(instance),
            None => self.group.instance(self.full),
        }
    }

    fn call_in<T>(
        &mut self,
        mut instance: Instance,
        mail: Box<Mail>,
        call: impl FnOnce(&mut Instance, Resource<MailHandle>) -> wasmtime::Result<Result<T, Failure>>,
    ) -> Came<T> {
        let sandbox = instance.store.data_mut();
        sandbox.begin();
        let lent = sandbox.lend(mail);
        let result = call(&mut instance, lent).unwrap_or_else(|error| Err(instance.store.data().failure(&error)));
        let sandbox = instance.store.data_mut();
        let log = sandbox.take_log();
        // Nothing takes the mail out of the store but this line.
        let mail = sandbox.take_back().unwrap_or_default();
        match result {
            Ok(_) => self.instance = Some(instance),
            Err(_) => bury(instance),
        }
        Came { mail, log, result }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(instance) = self.instance.take() {
            bury(instance);
        }
    }
}

impl<T> Called<T> {
    fn with<U>(self, map: impl FnOnce(T) -> U) -> Called<U> {
        Called { mail: self.mail, took: self.took, log: self.log, result: self.result.map(map) }
    }
}

fn output(message: impl Into<String>) -> Failure {
    Failure { kind: FailureKind::Output, message: message.into() }
}

/// Candidates in ascending order, each once, all of them filters of the group.
fn checked_candidates(mut candidates: Vec<u32>, members: u32) -> Result<Vec<u32>, Failure> {
    if let Some(unknown) = candidates.iter().find(|candidate| **candidate >= members) {
        return Err(output(format!("the screen named filter {unknown} of a group of {members}")));
    }
    candidates.sort_unstable();
    candidates.dedup();
    Ok(candidates)
}

fn checked_verdict(raw: Raw) -> Result<Verdict, Failure> {
    let changes: usize = raw.changes.iter().map(|change| change.header.len() + change.value.len() + size_of::<Change>()).sum();
    let size = changes + raw.reason.len();
    if size > RESULT_BYTES {
        return Err(output(format!("the verdict has {size} bytes; at most {RESULT_BYTES} are taken")));
    }
    let changes = raw.changes.into_iter().map(|change| Change { header: change.header, value: change.value }).collect();
    Ok(Verdict { matched: raw.matched, changes, reason: raw.reason })
}
