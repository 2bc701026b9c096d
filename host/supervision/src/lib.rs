//! Supervision: a task that panics, or that ends though it was to go on, is an outcome like any other. It has a text,
//! it is told (log, overview, readiness, metrics), and the task goes on after a pause.
//!
//! [`caught`], [`caught_here`] and [`blocking`] are for work that is done once: a session, a message, a file.
//! [`SupervisedTask`] is for work that goes on for as long as the process does.

pub mod back_off;
mod panic;
mod record;
mod work;

#[cfg(test)]
mod tests;

pub use panic::{Panic, catch, catch_async};
pub use record::{Break, Breakage, Counts, broken, changes, counts, goes_on, not_begun, well};
pub use work::WorkKind;

use std::convert::Infallible;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A task that has gone on for so long works.
const LASTED: Duration = Duration::from_mins(1);
/// The pauses of a task that broke: from the first to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Awaits something that is done once; its panic is told and is the error. Whatever it changed may be half changed
/// then.
pub fn caught<F: Future>(work: WorkKind, of: &str, future: F) -> impl Future<Output = Result<F::Output, Panic>> {
    let done = catch_async(future);
    async move { done.await.inspect_err(|panic| told(work, of, panic)) }
}

/// The same for what is done at once.
pub fn caught_here<T>(work: WorkKind, of: &str, action: impl FnOnce() -> T) -> Result<T, Panic> {
    catch(action).inspect_err(|panic| told(work, of, panic))
}

/// The same on a thread that may block.
pub async fn blocking<T, A>(work: WorkKind, of: &str, action: A) -> Result<T, Panic>
where
    T: Send + 'static,
    A: FnOnce() -> T + Send + 'static,
{
    let done = tokio::task::spawn_blocking(move || catch(action)).await;
    done.unwrap_or_else(|_| Err(Panic::because("the program is ending"))).inspect_err(|panic| told(work, of, panic))
}

/// Tells that the process of its own died in which something was done once: of what, a clause.
pub fn died(work: WorkKind, of: &str, what: &str) {
    record::broke(work, of, &Break::Died(what.to_owned()), None);
}

fn told(work: WorkKind, of: &str, panic: &Panic) {
    record::broke(work, of, &Break::Panicked(panic.clone()), None);
}

/// A task that goes on until it is told to stop, whatever happens to it.
#[derive(Debug, Clone)]
pub struct SupervisedTask {
    work: WorkKind,
    of: String,
    stop: CancellationToken,
    pauses: (Duration, Duration),
}

impl SupervisedTask {
    /// The task of a kind; `of` says for whom, empty where there is one.
    pub fn new(work: WorkKind, of: impl Into<String>, stop: CancellationToken) -> Self {
        Self { work, of: of.into(), stop, pauses: PAUSES }
    }

    /// With another longest pause.
    #[must_use]
    pub fn resting_at_most(mut self, longest: Duration) -> Self {
        self.pauses.1 = longest;
        self
    }

    /// Whether it is to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Does one round of the task. One that panics is followed by the pause; one that does not shows that the task
    /// works.
    pub fn round<F: Future>(&self, round: F) -> impl Future<Output = Result<F::Output, Panic>> {
        let round = catch_async(round);
        async move {
            let done = round.await;
            match &done {
                Ok(_) => well(self.work, &self.of),
                Err(panic) => self.rest(&Break::Panicked(panic.clone())).await,
            }
            done
        }
    }

    /// Does round after round, with the pause that each asks for.
    pub async fn repeat<F: Future<Output = Duration>>(self, mut round: impl FnMut() -> F) {
        while !self.is_stopped() {
            // What makes the round belongs to it.
            if let Ok(wait) = self.round(async { round().await }).await {
                self.sleep(wait).await;
            }
        }
        well(self.work, &self.of);
    }

    /// Awaits what goes on for long: once it has for a while, it has shown that it works.
    pub fn run<F: Future>(&self, task: F) -> impl Future<Output = Result<F::Output, Panic>> {
        let lasts = async {
            tokio::time::sleep(LASTED).await;
            well(self.work, &self.of);
            std::future::pending::<Infallible>().await
        };
        catch_async(async {
            tokio::select! {
                ended = task => ended,
                never = lasts => match never {},
            }
        })
    }

    /// Begins the task again whenever it panics, or ends before it was told to.
    pub async fn keep<F: Future<Output = ()>>(self, mut task: impl FnMut() -> F) {
        while !self.is_stopped() {
            match self.run(async { task().await }).await {
                Err(panic) => self.rest(&Break::Panicked(panic)).await,
                Ok(()) if !self.is_stopped() => self.rest(&Break::Ended).await,
                Ok(()) => {}
            }
        }
        // Nobody misses it now.
        well(self.work, &self.of);
    }

    /// Tells that the task broke, and pauses.
    pub async fn rest(&self, how: &Break) {
        let pause = record::broke(self.work, &self.of, how, Some(self.pauses));
        self.sleep(pause).await;
    }

    async fn sleep(&self, pause: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
