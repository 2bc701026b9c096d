//! A session: the calls that one message makes into one group.

use super::budget::GuestReservation;
use super::contract::{CallFailure, CallReport};
use super::group::Group;
use super::limits::ROOM_PATIENCE;
use super::mail_handle::MailHandle;
use super::template::{Instance, NotStarted};
use super::threads::{bury, empty_graves};
use postigo_mail::Mail;
use postigo_model::guest::FailureKind;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Resource;

/// One message's way through a group. The first call gets a fresh instance of the snapshot, further ones use it again;
/// after a failure the next call gets a new one. What is left is thrown away with the session.
pub struct GuestSession {
    group: Arc<Group>,
    full: bool,
    instance: Option<Instance>,
    /// Room that was waited for, for the next instance.
    reserved: Option<GuestReservation>,
    /// Whether the instance has room that was waited for: then there is no more to wait for.
    waited: bool,
}

impl GuestSession {
    /// Opens a session for one message. Nothing is instantiated before the first call.
    pub fn open(group: &Arc<Group>) -> Result<Self, CallFailure> {
        Ok(Self::new(Arc::clone(group), false))
    }

    pub(super) fn new(group: Arc<Group>, full: bool) -> Self {
        Self { group, full, instance: None, reserved: None, waited: false }
    }

    /// The group whose filters are called.
    pub(super) fn group(&self) -> &Group {
        &self.group
    }

    /// The same, beside a call of this session.
    pub(super) fn shared_group(&self) -> Arc<Group> {
        Arc::clone(&self.group)
    }

    /// After a call for which there was no room: gives up what this session holds, and waits until there is room for as
    /// much as its limit allows. Whoever calls this gives up the other sessions of the same message before. Blocks
    /// for a minute at most.
    pub fn wait_for_room(&mut self) -> Result<(), CallFailure> {
        self.instance = None;
        self.reserved = None;
        empty_graves();
        let room = self.group.room();
        let bytes = self.group.limits().memory.min(room.total());
        self.reserved = room.wait(bytes, ROOM_PATIENCE);
        if self.reserved.is_some() {
            return Ok(());
        }
        let (bytes, seconds) = (bytes >> 20, ROOM_PATIENCE.as_secs());
        let message = format!(
            "the host's other guests left no room for {bytes} MiB within {seconds} s; see `serve --guest-memory`"
        );
        Err(CallFailure { kind: FailureKind::Memory, message })
    }

    /// Makes a call of the group's world, in an instance to which the mail is lent meanwhile. The guest runs for its
    /// limit, or for `at_most` where that is less.
    pub(super) fn call<T>(
        &mut self,
        mail: Box<Mail>,
        at_most: Option<Duration>,
        call: impl FnOnce(&mut Instance, Resource<MailHandle>) -> wasmtime::Result<Result<T, CallFailure>>,
    ) -> CallReport<T> {
        let mut report = match self.take_instance() {
            Ok(instance) => self.call_in(instance, mail, at_most, call),
            Err(not_started) => CallReport {
                mail,
                own: Duration::ZERO,
                host: Duration::ZERO,
                no_room: matches!(not_started, NotStarted::NoRoom),
                log: Vec::new(),
                result: Err(not_started.into()),
            },
        };
        if report.no_room && self.waited {
            report.no_room = false;
            report.result = Err(self.larger_than_all());
        }
        report
    }

    fn take_instance(&mut self) -> Result<Instance, NotStarted> {
        if let Some(instance) = self.instance.take() {
            return Ok(instance);
        }
        let reserved = self.reserved.take();
        self.waited = reserved.is_some();
        match self.group.instance(self.full, reserved) {
            Err(NotStarted::NoRoom) if !self.waited => {
                // What this thread is about to throw away may be enough.
                empty_graves();
                self.group.instance(self.full, None)
            }
            started => started,
        }
    }

    /// What it is called that a guest has all the room there is, and wants more.
    fn larger_than_all(&self) -> CallFailure {
        let total = self.group.room().total() >> 20;
        let message = format!(
            "the guest wanted more than the {total} MiB that all guests of this host may have; see `serve --guest-memory`"
        );
        CallFailure { kind: FailureKind::Memory, message }
    }

    fn call_in<T>(
        &mut self,
        mut instance: Instance,
        mail: Box<Mail>,
        at_most: Option<Duration>,
        call: impl FnOnce(&mut Instance, Resource<MailHandle>) -> wasmtime::Result<Result<T, CallFailure>>,
    ) -> CallReport<T> {
        let sandbox = instance.store.data_mut();
        sandbox.begin(at_most);
        let lent = sandbox.lend(mail);
        let result = call(&mut instance, lent).unwrap_or_else(|error| Err(instance.store.data().failure(&error)));
        let sandbox = instance.store.data_mut();
        let (own, host) = sandbox.end();
        let log = sandbox.take_log();
        // Nothing takes the mail out of the store but this line.
        let mail = sandbox.take_back().unwrap_or_default();
        let no_room = result.is_err() && instance.held.was_short();
        match result {
            Ok(_) => self.instance = Some(instance),
            Err(_) => bury(instance),
        }
        CallReport { mail, own, host, no_room, log, result }
    }
}

impl Drop for GuestSession {
    fn drop(&mut self) {
        if let Some(instance) = self.instance.take() {
            bury(instance);
        }
    }
}

impl<T> CallReport<T> {
    pub(super) fn with<U>(self, map: impl FnOnce(T) -> U) -> CallReport<U> {
        CallReport {
            mail: self.mail,
            own: self.own,
            host: self.host,
            no_room: self.no_room,
            log: self.log,
            result: self.result.map(map),
        }
    }
}
