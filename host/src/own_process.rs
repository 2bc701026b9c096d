//! For tests that look at what all tests of a process share, such as the list of broken tasks: each gets a process of its
//! own, also where `cargo test` runs all of them in one.

use std::process::Command;
use std::thread;

/// Names the test that a process was started for.
const TEST: &str = "POSTIGO_TEST";

/// Whether this process is the test's own, which then does its work here. Else it has been run in one of its own by now,
/// and there is nothing left to do.
///
/// # Panics
/// If the test failed there, with what it said.
#[must_use]
pub fn is_here() -> bool {
    let current = thread::current();
    // The harness names its threads by their tests; cargo-nextest starts a process for each.
    let Some(test) = current.name() else { return true };
    if std::env::var_os("NEXTEST").is_some() || std::env::var_os(TEST).is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("the program of the tests");
    let run = Command::new(program).args([test, "--exact", "--nocapture"]).env(TEST, test).output().expect("it runs");
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && said.contains("1 passed"), "in a process of its own: {said}");
    false
}
