//! What a child process of this binary does to itself before it looks at what a stranger sent: it ends with its parent,
//! leaves the processor to others, and has limits that the system enforces.

use rustix::process::{Resource, Rlimit, Signal, getrlimit, nice, set_parent_process_death_signal, setrlimit};
use std::io;

/// Between being told that its processor time is over and being killed.
const LAST_SECONDS: u64 = 5;

/// Ends with the parent, and leaves no core behind. `niceness` says how much more willing than the parent it is to leave
/// the processor to others. The thread that started the child must live as long as the child is to.
pub fn begin(niceness: i32) -> io::Result<()> {
    // The parent may be gone already, and niceness may be at its end: neither matters.
    set_parent_process_death_signal(Some(Signal::KILL)).ok();
    nice(niceness).ok();
    limit(Resource::Core, 0, 0)
}

/// Bytes of memory with something in it that the child may have, all that it has already included.
pub fn limit_memory(most: u64) -> io::Result<()> {
    limit(Resource::Data, most, most)
}

/// Bytes of address space. That alone costs nothing, and wasmtime reserves a lot of it.
pub fn limit_address_space(most: u64) -> io::Result<()> {
    limit(Resource::As, most, most)
}

/// Seconds of processor time that the child may take, all that it took already included; it is ended by SIGXCPU.
pub fn limit_processor(seconds: u64) -> io::Result<()> {
    limit(Resource::Cpu, seconds, seconds.saturating_add(LAST_SECONDS))
}

fn limit(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    // Where the daemon itself may use less, that stays.
    let before = getrlimit(resource).maximum;
    let most = |wanted: u64| Some(before.map_or(wanted, |already| already.min(wanted)));
    setrlimit(resource, Rlimit { current: most(soft), maximum: most(hard) }).map_err(io::Error::from)
}
