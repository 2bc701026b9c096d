//! Ports for servers that are stopped and started again at the same place, as a real one has the same port every day.

use std::fs::{File, TryLockError};
use std::net::TcpListener;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;

use super::draw::Draw;

/// Below what Linux gives to connections that go out (`ip_local_port_range`, from 32768): such a connection may take the
/// port of a server that has just been stopped, and then it cannot be started again.
const PORTS: Range<u16> = 15_000..32_000;

/// What this process has taken, each with its lock on the machine: another test's process takes another port.
static TAKEN: Mutex<Vec<(u16, File)>> = Mutex::new(Vec::new());

/// A port of the loopback interface where nobody listens, and which is this process's until it ends: no other call takes it,
/// here or in another process, nor does a connection that goes out.
///
/// # Panics
/// If none is to be had, or the temporary folder cannot be written.
pub fn free_port() -> u16 {
    let mut taken = TAKEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // Each user has a folder of their own: nobody may write another's.
    let user = std::fs::metadata("/proc/self").map(|process| process.uid()).unwrap_or_default();
    let locks = std::env::temp_dir().join(format!("postigo-test-ports-{user}"));
    std::fs::create_dir_all(&locks).expect("the temporary folder");
    // Processes begin at places of their own, so that they seldom try one another's.
    let mut draw = Draw(u64::from(std::process::id()));
    for _ in 0..10_000 {
        let port = PORTS.start + u16::try_from(draw.below(u64::from(PORTS.end - PORTS.start))).expect("below 65,536");
        let lock = File::options().create(true).truncate(false).write(true).open(locks.join(port.to_string()));
        let lock = lock.expect("a file of ours in the temporary folder");
        match lock.try_lock() {
            // Locks of one process are of one file each: those that it has are refused to it too.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => panic!("the lock of a port: {error}"),
        }
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            taken.push((port, lock));
            return port;
        }
    }
    panic!("no port between {} and {} is free", PORTS.start, PORTS.end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice_nor_to_a_connection_that_goes_out() {
        let outgoing =
            std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or("32768 60999".into());
        let first = outgoing.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(32_768);
        let ports: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| [(); 25].map(|()| free_port()))).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("ports")).collect()
        });
        let different: std::collections::BTreeSet<_> = ports.iter().collect();
        assert_eq!(different.len(), 100);
        assert!(ports.iter().all(|port| *port < first), "{ports:?} lie below {first}");
    }
}
