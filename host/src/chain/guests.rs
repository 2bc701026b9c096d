//! What the chain needs of the sandbox, so that its own rules can be tested without WebAssembly.

use postigo_mail::Mail;
use postigo_model::classification::{Answer, Question, Scope};
use postigo_model::guest::FailureKind;
use postigo_sandbox::{CallFailure, CallReport, Cost, GroupSpec, PrepareError, ScreenResult, Verdict};
use std::sync::Arc;
use std::time::Duration;

/// Work for a thread that guests may run on.
pub type Job = Box<dyn FnOnce() + Send>;

/// Prepares groups and runs what calls them.
pub trait Sandbox: Send + Sync {
    /// Configures a group; takes as long as compiling and configuring take.
    fn prepare(&self, spec: &GroupSpec) -> Result<Arc<dyn Guests>, PrepareError>;
    /// Runs a job on a thread that guests may occupy, soon.
    fn execute(&self, job: Job);
}

/// A prepared group of filters.
pub trait Guests: Send + Sync {
    /// Whether it can say beforehand which of its filters might match.
    fn screens(&self) -> bool;
    /// What a message pays for it.
    fn cost(&self) -> Cost;
    /// The longest that a guest itself may run in a call.
    fn time(&self) -> Duration;
    /// The questions that a filter of it answers, where it is a classifier.
    fn questions(&self, _filter: u32) -> &[Question] {
        &[]
    }
    /// An instance for one message.
    fn open(&self) -> Result<Box<dyn Guest>, CallFailure>;
    /// An instance for one message whose every evaluation is a full one, for dry runs and checks of the screening.
    fn open_full(&self) -> Result<Box<dyn Guest>, CallFailure>;
}

/// An instance of a group for one message. A call runs for the group's limit, or for `at_most` where that is less.
pub trait Guest {
    /// Which filters might match the mail as it is now.
    fn screen(&mut self, mail: Box<Mail>, at_most: Option<Duration>) -> CallReport<ScreenResult>;
    /// Judges the mail by one filter of the group.
    fn evaluate(&mut self, filter: u32, mail: Box<Mail>, at_most: Option<Duration>) -> CallReport<Verdict>;
    /// Answers the questions of a filter of the group about the mail, one answer for each.
    fn classify(
        &mut self,
        _filter: u32,
        mail: Box<Mail>,
        _scope: Scope,
        _at_most: Option<Duration>,
    ) -> CallReport<Vec<Answer>> {
        let message = "The component is no classifier.".to_owned();
        let result = Err(CallFailure { kind: FailureKind::Output, message });
        CallReport { mail, own: Duration::ZERO, host: Duration::ZERO, no_room: false, log: Vec::new(), result }
    }
    /// After a call that the host had no room for: gives up what it holds, and waits until there is. The message's
    /// other instances must be gone by then, so that no two messages wait for one another.
    fn wait_for_room(&mut self) -> Result<(), CallFailure>;
}

/// Makes a call, and makes it again where it had to wait for room. An error, with the mail, says that there was none
/// for too long.
pub(super) fn with_room<T>(
    guest: &mut dyn Guest,
    mail: Box<Mail>,
    call: impl Fn(&mut dyn Guest, Box<Mail>) -> CallReport<T>,
) -> Result<CallReport<T>, (Box<Mail>, CallFailure)> {
    let called = call(guest, mail);
    if !called.no_room {
        return Ok(called);
    }
    match guest.wait_for_room() {
        Ok(()) => Ok(call(guest, called.mail)),
        Err(failure) => Err((called.mail, failure)),
    }
}
