//! The readers of mail, host code, built as a guest: where instructions are counted, what a mail costs is the same on
//! every machine.

use std::cell::RefCell;

#[path = "../../../src/worst_mails.rs"]
pub mod worst_mails;

thread_local! {
    static MAIL: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Makes the mail of a kind, of about so many bytes.
#[allow(unsafe_code, reason = "an export under its own name")]
#[unsafe(no_mangle)]
pub extern "C" fn make_mail(kind: u32, size: u32) {
    if let Some((_, make)) = worst_mails::KINDS.get(kind as usize) {
        MAIL.set(make(size as usize));
    }
}

/// Reads it, all of it.
#[allow(unsafe_code, reason = "an export under its own name")]
#[unsafe(no_mangle)]
pub extern "C" fn read_mail() -> u32 {
    worst_mails::read(MAIL.take()) as u32
}
