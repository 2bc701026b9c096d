//! The `postigo` binary.

use postigo::worker::alone;
use postigo_files::data_folder;
use postigo_sandbox::{child, training};
use std::process::ExitCode;

fn main() -> ExitCode {
    data_folder::keep_new_files_private();
    // The child that compiles strangers' code limits itself before it does anything else.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == child::ARGUMENT) {
        return child::main();
    }
    // So does the one in which a classifier is trained.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == training::ARGUMENT) {
        return training::main();
    }
    // And the one that a message has for itself.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == alone::ARGUMENT) {
        return alone::main();
    }
    postigo::cli::main()
}
