//! What a test says that cannot run here. Rust's harness knows tests that pass and tests that fail; one that returns
//! early would count as passed, and nobody would miss it. So it says why by one of these functions, and `.ci/run-tests`
//! counts what they wrote down.

use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;

/// The environment's name of the file that a line is added to for each test that did not run, or not whole.
pub const LIST: &str = "POSTIGO_SKIPPED";

/// Says that the running test is skipped, wholly or in part, since something is missing that `make setup` or `make
/// guests` provides. `.ci/run` takes this for a failure.
#[allow(clippy::print_stdout, reason = "it is what the harness shows of a test")]
pub fn skipped(reason: impl Display) {
    println!("skipped: {reason}");
    write_down("skipped", &reason);
}

/// Says that the running test has nothing to do, since the collections of mails that lie beside some checkouts are not
/// beside this one. They are no part of the project: told, and never a failure.
#[allow(clippy::print_stdout, reason = "it is what the harness shows of a test")]
pub fn without_data(folder: &Path) {
    println!("without data: there is no folder {}", folder.display());
    write_down("without-data", &format_args!("there is no folder {}", folder.display()));
}

/// Adds `WORD<tab>TEST<tab>REASON` to the list, where there is one.
fn write_down(word: &str, reason: &dyn Display) {
    let Some(list) = std::env::var_os(LIST) else { return };
    let line = format!("{word}\t{}\t{reason}\n", test());
    // Written at once: tests of many processes add to it.
    let written = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&list)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    assert!(written.is_ok(), "{LIST} names {}, which cannot be written: {written:?}", Path::new(&list).display());
}

/// The running test's name: nextest tells it to the process, `cargo test` names the thread after it.
fn test() -> String {
    std::env::var("NEXTEST_TEST_NAME").unwrap_or_else(|_| std::thread::current().name().unwrap_or("a test").to_owned())
}
