//! What a store of wasmtime holds for one guest: the mail that is lent to it, and what it has used up.

use super::assets::GroupAssets;
use super::budget::GuestReservation;
use super::clock::{Clock, Over};
use super::contract::{CallFailure, LogLine};
use super::guest_log::{GuestLog, one_line};
use super::limits::{HANDED_BYTES, HANDLES, HOST_CALLS, LIFTED_BYTES, Meter, PRINTED_BYTES, TICK};
use super::mail_handle::MailHandle;
use super::stopped::StopReason;
use super::wasi::{OutputStream, Wasi};
use postigo_mail::{Mail, canonical_lower_case};
use postigo_model::guest::FailureKind;
use postigo_model::guest::Grant;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::Resource;
use wasmtime::{Store, StoreContextMut, UpdateDeadline};

/// Headers with longer names cannot be set.
const LONGEST_NOTED: usize = 200;
/// So many reads are noted one by one; a screen that reads more depends on all headers.
const MOST_NOTED: usize = 1_000;

/// No snapshot takes so long.
const A_DAY: Duration = Duration::from_hours(24);

/// What a filter was granted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Grants {
    pub(super) body: bool,
    pub(super) attachments: bool,
    pub(super) raw: bool,
}

impl Grants {
    pub(super) fn of(given: &[Grant]) -> Self {
        let has = |grant| given.contains(&grant);
        Self { body: has(Grant::Body), attachments: has(Grant::Attachments), raw: has(Grant::Raw) }
    }
}

/// The data of a store.
pub(super) struct StoreData {
    pub(super) meter: Meter,
    grants: Grants,
    time: Duration,
    clock: Clock,
    call: u32,
    mail: Option<Box<Mail>>,
    host_calls: u32,
    handed: u64,
    printed: u64,
    denied: Option<&'static str>,
    /// None while a mail is judged.
    assets: Option<Arc<GroupAssets>>,
    pub(super) log: GuestLog,
    pub(super) wasi: Wasi,
    read: Option<BTreeSet<String>>,
}

impl StoreData {
    /// A store whose guest may have `memory` bytes and run for `time` in every call, and which holds this of the host's
    /// room.
    pub(super) fn store(
        engine: &wasmtime::Engine,
        grants: Grants,
        memory: u64,
        time: Duration,
        held: Arc<GuestReservation>,
    ) -> Store<Self> {
        let sandbox = Self {
            meter: Meter::new(memory, held),
            grants,
            time,
            clock: Clock::begin(time, time),
            call: 0,
            mail: None,
            host_calls: 0,
            handed: 0,
            printed: 0,
            denied: None,
            assets: None,
            log: GuestLog::default(),
            wasi: Wasi::default(),
            read: None,
        };
        let mut store = Store::new(engine, sandbox);
        store.limiter(|sandbox| &mut sandbox.meter);
        store.set_hostcall_fuel(LIFTED_BYTES);
        store.set_max_component_handles(HANDLES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| {
            let sandbox = context.data_mut();
            sandbox.clock.check(TICK).map_err(too_long)?;
            // Loops leave the core to others at every tick.
            std::thread::yield_now();
            Ok(UpdateDeadline::Continue(1))
        });
        store
    }

    /// For the snapshot, which reads the guest's memory through calls.
    pub(super) fn open_for_snapshot(store: &mut Store<Self>) {
        let sandbox = store.data_mut();
        sandbox.meter.lift_limit();
        sandbox.clock = Clock::begin(A_DAY, A_DAY);
        store.set_hostcall_fuel(usize::MAX);
    }

    /// From now on every call may take `time`.
    pub(super) fn set_time(&mut self, time: Duration) {
        self.time = time;
    }

    /// Begins a call: its time starts now. The guest runs for its limit, or for `at_most` where that is less.
    pub(super) fn begin(&mut self, at_most: Option<Duration>) {
        self.call = self.call.wrapping_add(1);
        self.clock = Clock::begin(at_most.map_or(self.time, |most| most.min(self.time)), self.time);
        self.host_calls = 0;
        self.handed = 0;
        self.printed = 0;
        self.denied = None;
        self.meter.forget_refusals();
    }

    /// The guest's own time in the call that ends now, and the host's for it.
    pub(super) fn end(&mut self) -> (Duration, Duration) {
        self.clock.end()
    }

    /// Lends a mail to the call that has begun.
    pub(super) fn lend(&mut self, mail: Box<Mail>) -> Resource<MailHandle> {
        self.mail = Some(mail);
        Resource::new_borrow(self.call)
    }

    /// Takes the mail back.
    pub(super) fn take_back(&mut self) -> Option<Box<Mail>> {
        self.mail.take()
    }

    /// From now on these assets can be read; none of them where there are none any more.
    pub(super) fn give_assets(&mut self, assets: Option<Arc<GroupAssets>>) {
        self.assets = assets;
    }

    /// The assets that can be read now.
    pub(super) fn assets(&self) -> Option<Arc<GroupAssets>> {
        self.assets.clone()
    }

    /// From now on notes the names of headers that are read.
    pub(super) fn note_reads(&mut self) {
        self.read = Some(BTreeSet::new());
    }

    /// The names noted, in lower case.
    pub(super) fn reads(&mut self) -> Vec<String> {
        self.read.take().unwrap_or_default().into_iter().collect()
    }

    /// The guest's log lines of this call.
    pub(super) fn take_log(&mut self) -> Vec<LogLine> {
        let Self { wasi, log, .. } = self;
        wasi.end_lines(|priority, line| log.take(priority, line));
        std::mem::take(log).finish()
    }

    pub(super) fn grants(&self) -> Grants {
        self.grants
    }

    /// Notes that something was asked for that is not granted.
    pub(super) fn deny(&mut self, what: &'static str) {
        self.denied = Some(what);
    }

    /// Notes a read of a header, or of all (`*`), under the name that a change of it would have.
    pub(super) fn note(&mut self, name: &str) {
        let Some(read) = &mut self.read else { return };
        // A name that long is no header that can be set, so it cannot change.
        if name.len() > LONGEST_NOTED || read.contains("*") {
            return;
        }
        let name = canonical_lower_case(name);
        if name != "*" && (read.len() < MOST_NOTED || read.contains(name.as_ref())) {
            read.insert(name.into_owned());
        } else {
            *read = BTreeSet::from(["*".to_owned()]);
        }
    }

    /// Every host call is made in here: it is counted, and its time is not the guest's.
    pub(super) fn host_call<T>(&mut self, work: impl FnOnce(&mut Self) -> wasmtime::Result<T>) -> wasmtime::Result<T> {
        let entered = Instant::now();
        self.count(entered)?;
        let done = work(self);
        self.clock.leave(entered);
        done
    }

    /// The same for work that needs the whole store.
    pub(super) fn host_call_in<T>(
        store: &mut StoreContextMut<'_, Self>,
        work: impl FnOnce(&mut StoreContextMut<'_, Self>) -> wasmtime::Result<T>,
    ) -> wasmtime::Result<T> {
        let entered = Instant::now();
        store.data_mut().count(entered)?;
        let done = work(store);
        store.data_mut().clock.leave(entered);
        done
    }

    fn count(&mut self, now: Instant) -> wasmtime::Result<()> {
        self.host_calls += 1;
        if self.host_calls > HOST_CALLS {
            return Err(StopReason::error(
                FailureKind::HostCalls,
                format!("the guest made more than {HOST_CALLS} host calls in one call"),
            ));
        }
        self.clock.check_wall(now).map_err(too_long)
    }

    /// The lent mail.
    pub(super) fn lent(&self, handle: &Resource<MailHandle>) -> wasmtime::Result<&Mail> {
        match &self.mail {
            Some(mail) if handle.rep() == self.call => Ok(mail),
            _ => Err(StopReason::error(FailureKind::Trap, "the guest used a mail that was not lent to this call")),
        }
    }

    /// Checks what a host call is about to copy into the guest.
    pub(super) fn hand_over(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.handed = self.handed.saturating_add(bytes as u64);
        if self.handed > HANDED_BYTES {
            let message = format!("the guest read more than {} MiB in one call", HANDED_BYTES >> 20);
            return Err(StopReason::error(FailureKind::HostCalls, message));
        }
        Ok(())
    }

    /// A guest prints to an output: whole lines go into its log, until that is full.
    pub(super) fn print(&mut self, to: OutputStream, bytes: &[u8]) -> wasmtime::Result<()> {
        self.printed = self.printed.saturating_add(bytes.len() as u64);
        if self.printed > PRINTED_BYTES {
            let message = format!("the guest printed more than {} MiB in one call", PRINTED_BYTES >> 20);
            return Err(StopReason::error(FailureKind::HostCalls, message));
        }
        let Self { wasi, log, .. } = self;
        wasi.write(to, bytes, |line| log.take(to.priority(), line));
        Ok(())
    }

    /// What a failed call is called: the limit that it broke, whatever the guest made of it.
    pub(super) fn failure(&self, error: &wasmtime::Error) -> CallFailure {
        if let Some(StopReason { kind, message }) = error.downcast_ref() {
            return CallFailure { kind: *kind, message: message.clone() };
        }
        let trap = error.downcast_ref::<wasmtime::Trap>();
        let place =
            error.downcast_ref::<wasmtime::WasmBacktrace>().and_then(|trace| trace.frames().first()?.func_name());
        let place = place.map_or_else(String::new, |name| format!(" in {}", one_line(name, 200)));
        if let Some(what) = self.denied {
            return CallFailure {
                kind: FailureKind::Denied,
                message: format!("{what} is not granted; the guest then failed{place}"),
            };
        }
        if self.meter.refused() {
            let message = format!(
                "the guest wanted more memory than its limit allows ({} KiB in use){place}",
                self.meter.used() >> 10
            );
            return CallFailure { kind: FailureKind::Memory, message };
        }
        // wasmtime has no type for it.
        if trap.is_none() && error.root_cause().to_string().contains("handle limit exceeded") {
            let message = format!("the guest held more than {HANDLES} handles at once{place}; it is to drop them");
            return CallFailure { kind: FailureKind::Memory, message };
        }
        match trap {
            Some(trap) => CallFailure { kind: FailureKind::Trap, message: format!("{trap}{place}") },
            None => CallFailure {
                kind: FailureKind::Output,
                message: format!("the guest broke the contract: {}", error.root_cause()),
            },
        }
    }

    /// What an error that the guest returned is called.
    pub(super) fn returned_error(&self, message: &str) -> CallFailure {
        match self.denied {
            Some(what) => CallFailure {
                kind: FailureKind::Denied,
                message: format!("{what} is not granted; the guest said: {message}"),
            },
            None => CallFailure { kind: FailureKind::Trap, message: format!("the guest said: {message}") },
        }
    }
}

fn too_long(over: Over) -> wasmtime::Error {
    let message = match over {
        Over::Own { limit } => format!("the guest itself ran longer than {} ms", limit.as_millis()),
        Over::Wall { limit, own } => format!(
            "the call took longer than {} ms in all, of which the guest itself ran for {} ms; the rest went into what the host did for it, \
             or into waiting for a processor",
            limit.as_millis(),
            own.as_millis()
        ),
    };
    StopReason::error(FailureKind::Timeout, message)
}
