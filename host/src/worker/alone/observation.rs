//! What can be seen of a child from outside while it works: what its threads do, and what memory it has taken.

use std::fs;
use std::path::Path;

/// What a child does when it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildState {
    /// All its threads wait for something that it could bring about itself.
    StandsStill,
    /// A thread runs, or would if it were let: it waits for a processor or a disk, or somebody has stopped it. Where it
    /// cannot be seen it has the benefit of the doubt.
    GoesOn,
}

/// What the process of this id does.
pub fn state_of(process: u32) -> ChildState {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let mut states = threads.filter_map(|thread| thread_state(&thread.path().join("stat"))).peekable();
    // Of proc(5): S sleeps, I is idle; R runs, D waits for a disk, T and t are stopped.
    if states.peek().is_some() && states.all(|state| matches!(state, 'S' | 'I')) {
        ChildState::StandsStill
    } else {
        ChildState::GoesOn
    }
}

fn thread_state(stat: &Path) -> Option<char> {
    // The state follows the name, which is in brackets and may hold anything.
    fs::read_to_string(stat).ok()?.rsplit_once(") ")?.1.chars().next()
}

/// What memory a child takes, from a moment on.
#[derive(Debug, Clone, Copy)]
pub struct MemoryGrowth {
    began: MemoryUse,
    /// Bytes, the most since.
    most: u64,
}

/// Bytes of a process that lie in memory.
#[derive(Debug, Clone, Copy)]
struct MemoryUse {
    now: u64,
    /// The most that they ever were.
    peak: u64,
}

impl MemoryGrowth {
    /// From now on; none where it cannot be seen.
    pub fn from_now(process: u32) -> Option<Self> {
        let began = MemoryUse::of(process)?;
        Some(Self { began, most: began.now })
    }

    /// Looks again. A process that is gone has no memory; what was seen of it stays.
    pub fn look(&mut self, process: u32) {
        if let Some(seen) = MemoryUse::of(process) {
            self.note(seen);
        }
    }

    fn note(&mut self, seen: MemoryUse) {
        // A peak that was there before says nothing of what came since.
        let most = if seen.peak > self.began.peak { seen.peak } else { seen.now };
        self.most = self.most.max(most);
    }

    /// Bytes that it has taken at most since it began.
    pub fn bytes(&self) -> u64 {
        self.most.saturating_sub(self.began.now)
    }
}

impl MemoryUse {
    fn of(process: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        Some(Self { now: kibibytes(&status, "VmRSS:")? << 10, peak: kibibytes(&status, "VmHWM:")? << 10 })
    }
}

/// A figure of `/proc/PID/status`.
pub fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_takes_is_counted_from_when_it_began() {
        let use_of = |now: u64, peak: u64| MemoryUse { now: now << 20, peak: peak << 20 };
        let mut growth = MemoryGrowth { began: use_of(10, 50), most: 10 << 20 };
        let mut grown = |now, peak| {
            growth.note(use_of(now, peak));
            growth.bytes() >> 20
        };
        assert_eq!(grown(30, 50), 20, "what it took before it began does not count");
        assert_eq!(grown(20, 50), 20, "what it gave back it had all the same");
        assert_eq!(grown(30, 80), 70);
        assert_eq!(kibibytes("Name:\tx\nVmHWM:\t    1234 kB\nVmRSS:\t 5 kB\n", "VmHWM:"), Some(1234));
        let own = std::process::id();
        assert!(MemoryGrowth::from_now(own).is_some() && state_of(own) == ChildState::GoesOn);
        assert_eq!(state_of(u32::MAX), ChildState::GoesOn, "of what cannot be seen nothing is said");
    }
}
