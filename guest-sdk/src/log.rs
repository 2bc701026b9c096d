//! Lines for the communication log: at most 1 KiB a line and 64 KiB a call, what is more is cut.
//!
//! Natively they are kept for [`testing::logged`](crate::testing::logged).

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For the author.
    Debug,
    /// For whoever reads the log.
    Info,
    /// Worth a look.
    Notice,
    /// Something is off, the filter goes on.
    Warning,
    /// Something failed.
    Error,
}

/// Writes a line.
#[cfg(target_arch = "wasm32")]
pub fn write(level: Level, line: &str) {
    use crate::bindings::plugin::postigo::plugin::log;
    let level = match level {
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Notice => log::Level::Notice,
        Level::Warning => log::Level::Warning,
        Level::Error => log::Level::Error,
    };
    log::write(level, line);
}

/// Writes a line.
#[cfg(not(target_arch = "wasm32"))]
pub fn write(level: Level, line: &str) {
    crate::testing::keep_line(level, line);
}

/// Writes a line for the author.
pub fn debug(line: &str) {
    write(Level::Debug, line);
}

/// Writes a line for whoever reads the log.
pub fn info(line: &str) {
    write(Level::Info, line);
}

/// Writes a warning.
pub fn warning(line: &str) {
    write(Level::Warning, line);
}
