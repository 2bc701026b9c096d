//! What is known of the tasks of this process that broke: how often, why, and when they go on.
//!
//! There is one such record a process, as there is one panic hook: whatever breaks, on whatever floor, is told without
//! a handle.

use super::panic::Panic;
use super::work::WorkKind;
use crate::back_off;
use postigo_model::timestamp::now;
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What broke once and does not go on by itself, a session or a message, is told of for so long.
const LINGERS: Duration = Duration::from_mins(15);
/// So many things are told of at once; of further ones the log and the counts tell.
const MOST: usize = 1_000;

/// How a task came to an end that nobody wished for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Break {
    /// It panicked.
    Panicked(Panic),
    /// It ended by itself, though it was to go on.
    Ended,
    /// The process that it had for itself died: of what, a clause.
    Died(String),
    /// It could not be begun, by no fault of its own: why, a sentence.
    NotBegun(String),
}

impl std::fmt::Display for Break {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Panicked(panic) => write!(formatter, "It panicked: {panic}."),
            Self::Died(what) => write!(formatter, "Its process died: {what}."),
            Self::NotBegun(why) => formatter.write_str(why),
            Self::Ended => formatter.write_str("It ended by itself, though it was to go on."),
        }
    }
}

/// A task that broke and has not shown since that it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breakage {
    /// Its kind.
    pub work: WorkKind,
    /// What it is for: an account, an endpoint, a transport; empty: there is one of its kind.
    pub of: String,
    /// What happened, a sentence.
    pub why: String,
    /// How often, without a good round in between.
    pub times: u32,
    /// When last, milliseconds since the epoch.
    pub at: i64,
    /// When it goes on, milliseconds since the epoch; none: it does not, only others like it.
    pub again_at: Option<i64>,
    /// From when on it is told of for [`LINGERS`] at most; none: until it is well.
    passes_from: Option<Instant>,
}

/// How often tasks of a kind broke since the process began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// By a panic.
    pub panics: u64,
    /// By ending, or with a process of their own.
    pub ends: u64,
}

#[derive(Default)]
struct TaskRecord {
    counts: BTreeMap<WorkKind, Counts>,
    broken: BTreeMap<(WorkKind, String), Breakage>,
}

static RECORD: LazyLock<Mutex<TaskRecord>> = LazyLock::new(Mutex::default);
static CHANGED: LazyLock<watch::Sender<()>> = LazyLock::new(|| watch::Sender::new(()));

/// Maps are changed by single steps: after a panic in between they are as good as before.
fn record() -> MutexGuard<'static, TaskRecord> {
    RECORD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes that a task broke, and tells it in the log. `pauses` are the first and the longest before it goes on; gives
/// this one.
pub fn broke(work: WorkKind, of: &str, how: &Break, pauses: Option<(Duration, Duration)>) -> Duration {
    let why = how.to_string();
    let (times, pause) = note(work, of, how, &why, pauses, pauses.is_none());
    if pauses.is_some() {
        tracing::error!(task = work.name(), of, why, times, "a task broke; it goes on in {} ms", pause.as_millis());
    } else {
        tracing::error!(task = work.name(), of, why, "a task broke; others go on");
    }
    CHANGED.send_replace(());
    pause
}

/// Notes that something which is done once could not be begun, by no fault of its own: why, a sentence. `pauses` are the
/// first and the longest before it is tried again; gives this one. Whoever asks for it tells the log. Where it is wanted
/// no more, nobody need say so.
pub fn not_begun(work: WorkKind, of: &str, why: &str, pauses: (Duration, Duration)) -> Duration {
    let (_, pause) = note(work, of, &Break::NotBegun(why.to_owned()), why, Some(pauses), true);
    CHANGED.send_replace(());
    pause
}

fn note(
    work: WorkKind,
    of: &str,
    how: &Break,
    why: &str,
    pauses: Option<(Duration, Duration)>,
    passes: bool,
) -> (u32, Duration) {
    let mut record = record();
    let counts = record.counts.entry(work).or_default();
    match how {
        Break::Panicked(_) => counts.panics += 1,
        Break::Ended | Break::Died(_) => counts.ends += 1,
        Break::NotBegun(_) => {}
    }
    let key = (work, of.to_owned());
    let times = record.broken.get(&key).map_or(0, |broken| broken.times).saturating_add(1);
    let pause = pauses.map_or(Duration::ZERO, |(first, longest)| back_off::after_failures(times, first, longest));
    let at = now();
    let again_at = pauses.map(|_| at.saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)));
    let passes_from = passes.then(|| Instant::now() + pause);
    let broken = Breakage { work, of: of.to_owned(), why: why.to_owned(), times, at, again_at, passes_from };
    if record.broken.len() < MOST || record.broken.contains_key(&key) {
        record.broken.insert(key, broken);
    }
    (times, pause)
}

/// Says when a task that broke goes on, where its pause is its own: nothing where it did not break.
pub fn goes_on(work: WorkKind, of: &str, pause: Duration) {
    let mut record = record();
    if record.broken.is_empty() {
        return;
    }
    if let Some(broken) = record.broken.get_mut(&(work, of.to_owned())) {
        broken.again_at = Some(now().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)));
        broken.passes_from = None;
        drop(record);
        CHANGED.send_replace(());
    }
}

/// A task has shown that it works, or is wanted no more.
pub fn well(work: WorkKind, of: &str) {
    // The usual case allocates nothing.
    let mut record = record();
    if record.broken.is_empty() {
        return;
    }
    if record.broken.remove(&(work, of.to_owned())).is_some() {
        drop(record);
        tracing::info!(task = work.name(), of, "a task that broke works again, or is wanted no more");
        CHANGED.send_replace(());
    }
}

/// What broke and has not shown since that it works, by kind.
pub fn broken() -> Vec<Breakage> {
    let mut record = record();
    record.broken.retain(|_, broken| broken.passes_from.is_none_or(|from| from.elapsed() < LINGERS));
    record.broken.values().cloned().collect()
}

/// How often tasks broke, by kind; those that never did are left out.
pub fn counts() -> Vec<(WorkKind, Counts)> {
    record().counts.iter().map(|(work, counts)| (*work, *counts)).collect()
}

/// Changes with [`broken`].
pub fn changes() -> watch::Receiver<()> {
    CHANGED.subscribe()
}
