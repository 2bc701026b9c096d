//! The child process in which code of strangers is validated, compiled, configured and snapshotted for the first time.

use std::process::ExitCode;

/// The child's whole life: one request on standard input, one answer on standard output. `main` of the binary calls it when its
/// first argument is `runtime-child`, before anything else.
pub fn main() -> ExitCode {
    ExitCode::FAILURE
}
