//! What a guest may use: the figures, and the meter of its memory.

use super::budget::GuestReservation;
use super::stopped::StopReason;
use postigo_model::guest::FailureKind;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::ResourceLimiter;

/// How often guests are looked at: the grain of their time limit.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// The guest's own time in `describe`.
pub(super) const DESCRIBE_TIME: Duration = Duration::from_secs(5);
/// The guest's own time in `configure`.
pub(super) const CONFIGURE_TIME: Duration = Duration::from_secs(30);
/// Wall time of `configure` where there is no snapshot: it is called for every message, if ahead of it, on the threads
/// of all guests.
pub(super) const CONFIGURE_AHEAD_TIME: Duration = Duration::from_secs(5);
/// Bytes over all memories while a component describes itself, where no filter has set a limit yet.
pub(super) const DESCRIBE_MEMORY: u64 = 256 << 20;
/// Host calls of one call.
pub(super) const HOST_CALLS: u32 = 100_000;
/// Bytes that host calls hand over in one call.
pub(super) const HANDED_BYTES: u64 = 1 << 30;
/// Bytes that a guest may print in one call, whatever the log shows of them.
pub(super) const PRINTED_BYTES: u64 = 16 << 20;
/// Bytes of a call's result.
pub(super) const RESULT_BYTES: usize = 256 << 10;
/// How long a call waits for room in the host's memory.
pub(super) const ROOM_PATIENCE: Duration = Duration::from_mins(1);
/// Bytes that the host copies out of a guest at once, before any check of its own: a result, a log line, a header's
/// name. A list whose items all point at the same string would otherwise grow without bounds on the way out.
pub(super) const LIFTED_BYTES: usize = 4 << 20;
/// Parts of what a function of WASI answers by its type, which the guest declares: values, fields, cases.
pub(super) const ANSWER_PARTS: usize = 1_000;
/// Bytes of the names of such parts.
pub(super) const ANSWER_NAMES: usize = 64 << 10;
/// Handles of resources that a guest may have at once, its own and the host's.
pub(super) const HANDLES: usize = 10_000;
/// Bytes of what an uploaded component compiles to, which the daemon loads.
pub(super) const COMPILED_BYTES: usize = 256 << 20;
/// Bytes of one log line.
pub(super) const LOG_LINE: usize = 1 << 10;
/// Bytes of all log lines of a call.
pub(super) const LOG_CALL: usize = 64 << 10;
/// How long a call may take in all, where the guest itself may run for `time`: what the host does for it has bounds of
/// its own, and on a busy machine both wait for a processor.
pub(super) fn wall_limit(time: Duration) -> Duration {
    time * 4 + Duration::from_secs(10)
}

/// Bytes of an asset that a guest reads at once.
pub(super) const ASSET_READ: u32 = 1 << 20;
/// Bytes of one asset.
pub(super) const ASSET: usize = 64 << 20;

/// Core instances, memories and tables of one component.
const PARTS: usize = 200;
/// What an element of a table costs.
const TABLE_ELEMENT: u64 = 16;

/// Counts what an instance holds over all its memories and tables, and refuses what is more.
pub(super) struct Meter {
    limit: u64,
    used: u64,
    charged: u64,
    refused: bool,
    held: Arc<GuestReservation>,
}

impl Meter {
    pub(super) fn new(limit: u64, held: Arc<GuestReservation>) -> Self {
        Self { limit, used: 0, charged: 0, refused: false, held }
    }

    /// What it holds of the host's room.
    pub(super) fn held(&self) -> &Arc<GuestReservation> {
        &self.held
    }

    /// Bytes in use.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// Whether something was refused since the last [`Meter::forget_refusals`].
    pub(super) fn refused(&self) -> bool {
        self.refused
    }

    pub(super) fn forget_refusals(&mut self) {
        self.refused = false;
    }

    /// For the snapshot, whose tools grow every memory by a page.
    pub(super) fn lift_limit(&mut self) {
        self.limit = u64::MAX;
    }

    /// False where the limit is reached; an error, which ends the call, where it is the host that has no room.
    fn charge(&mut self, bytes: u64) -> wasmtime::Result<bool> {
        let Some(used) = self.used.checked_add(bytes).filter(|used| *used <= self.limit) else {
            self.refused = true;
            return Ok(false);
        };
        if !self.held.cover(used) {
            let message = format!(
                "the guest wanted {} MiB, and there was no room for it beside the host's other guests",
                used >> 20
            );
            return Err(StopReason::error(FailureKind::Memory, message));
        }
        self.used = used;
        self.charged = bytes;
        Ok(true)
    }

    fn give_back(&mut self) {
        self.used = self.used.saturating_sub(std::mem::take(&mut self.charged));
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = true;
            return Ok(false);
        }
        self.charge(desired.saturating_sub(current) as u64)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = true;
        self.give_back();
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = true;
            return Ok(false);
        }
        self.charge((desired.saturating_sub(current) as u64).saturating_mul(TABLE_ELEMENT))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = true;
        self.give_back();
        Ok(())
    }

    fn instances(&self) -> usize {
        PARTS
    }

    fn tables(&self) -> usize {
        PARTS
    }

    fn memories(&self) -> usize {
        PARTS
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The contract's comments, each in one line.
    pub(crate) fn contract() -> String {
        let texts = [
            include_str!("../../../wit/filter.wit"),
            include_str!("../../../wit/deps/postigo-message/message.wit"),
            include_str!("../../../wit/deps/postigo-plugin/plugin.wit"),
            include_str!("../../../wit/deps/postigo-classifier/classifier.wit"),
        ];
        texts.concat().split_whitespace().filter(|word| *word != "///").collect::<Vec<_>>().join(" ")
    }

    /// A number as the contract writes it.
    pub(crate) fn written(number: impl TryInto<u64>) -> String {
        let number = number.try_into().unwrap_or_default();
        let (thousands, rest) = (number / 1000, number % 1000);
        if thousands == 0 { rest.to_string() } else { format!("{thousands},{rest:03}") }
    }

    #[test]
    fn the_contract_says_the_limits_that_are_held_to() {
        let contract = contract();
        for said in [
            format!("{} calls of functions of the host, {} GiB that", written(HOST_CALLS), HANDED_BYTES >> 30),
            format!("{} MiB that one of them is handed", LIFTED_BYTES >> 20),
            format!("{} KiB in all", RESULT_BYTES >> 10),
            format!("hold {} handles at once", written(HANDLES)),
            format!("{} s of its own time and {} MiB", DESCRIBE_TIME.as_secs(), DESCRIBE_MEMORY >> 20),
            format!(
                "{} s of its own time ({} s where the component cannot be snapshotted)",
                CONFIGURE_TIME.as_secs(),
                CONFIGURE_AHEAD_TIME.as_secs()
            ),
            format!("At most {} KiB a line and {} KiB a call", LOG_LINE >> 10, LOG_CALL >> 10),
            format!("the first {} KiB is kept", LOG_LINE >> 10),
            format!("Size in bytes, {} MiB at most", ASSET >> 20),
            format!("at most {} MiB a call", ASSET_READ >> 20),
        ] {
            assert!(contract.contains(&said), "{said}");
        }
    }
}
