//! How a child process ended, and whether that says something of its message.

use crate::store::StoreError;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// Why a process did not hand back what came of its message.
#[derive(Debug, thiserror::Error)]
pub enum ProcessEnd {
    /// The message ended it, while its parent lived: a clause.
    #[error("The process that worked on this message alone died: {0}.")]
    Died(String),
    /// The code that works on the message broke in it.
    #[error("Working on this message panicked: {0}. This is a fault of Postigo: please report it.")]
    Panicked(String),
    /// It could not be run, or was ended by others, which says nothing of the message: a clause.
    #[error("There was no process to work on this message alone: {0}.")]
    NotRun(String),
    /// The host stops.
    #[error("The host stops.")]
    Stopped,
    /// The first follow-up check.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a child may take, for what is said of its end.
#[derive(Debug, Clone, Copy)]
pub struct ChildLimits {
    /// Bytes of memory beside what it needs without a message.
    pub memory: u64,
    /// Of these, what a message of its size may cost, with what guests may hold.
    pub reckoned: u64,
    /// Seconds of processor time.
    pub processor: u64,
}

/// Judges the end of a child that had begun with its message; `words` are what it said last on standard error, `grown` the
/// bytes of memory that it was seen to take for its message.
pub fn judge(status: ExitStatus, words: &str, limits: ChildLimits, grown: Option<u64>) -> ProcessEnd {
    let (memory, reckoned) = (limits.memory >> 20, limits.reckoned >> 20);
    // The signals of signal(7) that a process brings upon itself by what it does, or the system upon it for what it
    // takes. All others, SIGTERM above all, which a service manager sends to parent and child alike, are somebody's
    // wish.
    let died_of = match status.signal() {
        Some(6) if words.contains("memory allocation of") => {
            format!("it wanted more memory than the {memory} MiB that a message of this size may take")
        }
        Some(6) if words.contains("overflowed its stack") => "its stack overflowed (signal 6, SIGABRT)".to_owned(),
        Some(6) => "it aborted (signal 6, SIGABRT)".to_owned(),
        // Nobody kills itself so. The system does where memory runs short, whoever takes it: only of one that took more
        // than its message may cost is it known that this was the reason.
        Some(9) => match grown {
            Some(grown) if grown > limits.reckoned => format!(
                "it was killed (signal 9, SIGKILL) when it had taken {} MiB of memory, and a message of this size may take {reckoned} MiB",
                grown >> 20
            ),
            _ => {
                return ProcessEnd::NotRun(
                    "it was killed from outside (signal 9, SIGKILL), by somebody, or by the system since memory runs short"
                        .to_owned(),
                );
            }
        },
        Some(24) => {
            format!("it had not ended after {} s of processor time (signal 24, SIGXCPU)", limits.processor)
        }
        Some(signal @ (4 | 5 | 7 | 8 | 11 | 25 | 31)) => format!("signal {signal} ({}) ended it", name(signal)),
        _ => return ProcessEnd::NotRun(format!("it ended without an answer ({status})")),
    };
    ProcessEnd::Died(died_of)
}

fn name(signal: i32) -> &'static str {
    match signal {
        4 => "SIGILL",
        5 => "SIGTRAP",
        7 => "SIGBUS",
        8 => "SIGFPE",
        11 => "SIGSEGV",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(raw: i32, words: &str) -> String {
        told_of(raw, words, None)
    }

    fn told_of(raw: i32, words: &str, grown: Option<u64>) -> String {
        let limits = ChildLimits { memory: 512 << 20, reckoned: 300 << 20, processor: 60 };
        match judge(ExitStatus::from_raw(raw), words, limits, grown) {
            ProcessEnd::Died(what) => format!("died: {what}"),
            end => end.to_string(),
        }
    }

    #[test]
    fn what_a_message_can_cause_counts_and_is_told_as_it_was() {
        assert_eq!(told(11, ""), "died: signal 11 (SIGSEGV) ended it");
        assert_eq!(
            told(6, "memory allocation of 17 bytes failed\n"),
            "died: it wanted more memory than the 512 MiB that a message of this size may take"
        );
        assert_eq!(
            told(6, "\nthread 'guest' has overflowed its stack\n"),
            "died: its stack overflowed (signal 6, SIGABRT)"
        );
        assert_eq!(told(6 | 0x80, ""), "died: it aborted (signal 6, SIGABRT)");
        assert_eq!(told(24, ""), "died: it had not ended after 60 s of processor time (signal 24, SIGXCPU)");
    }

    #[test]
    fn who_is_killed_is_blamed_only_if_it_took_more_memory_than_it_may_cost() {
        assert_eq!(
            told_of(9, "", Some(301 << 20)),
            "died: it was killed (signal 9, SIGKILL) when it had taken 301 MiB of memory, and a message of this size may take 300 MiB"
        );
        for grown in [None, Some(0), Some(300 << 20)] {
            let told = told_of(9, "", grown);
            assert!(told.contains("There was no process") && told.contains("SIGKILL"), "{told}");
        }
    }

    #[test]
    fn what_somebody_sends_and_an_exit_status_count_against_nobody() {
        // SIGHUP, SIGINT, SIGQUIT, SIGTERM, exit 0 and exit 1.
        for raw in [1, 2, 3, 15, 0, 1 << 8] {
            assert!(told(raw, "").contains("There was no process"), "{raw}: {}", told(raw, ""));
        }
    }
}
