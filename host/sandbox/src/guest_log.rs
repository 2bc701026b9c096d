//! The lines that a guest logs during a call, within their bounds.

use super::contract::LogLine;
use super::limits::{LOG_CALL, LOG_LINE};
use postigo_model::text::{beginning, on_one_line};

/// Lines so far, and what was cut.
#[derive(Debug, Default)]
pub(super) struct GuestLog {
    lines: Vec<LogLine>,
    bytes: usize,
    cut_lines: u64,
    dropped_lines: u64,
    uncounted: bool,
}

impl GuestLog {
    /// Adds a line, or as much of it as there is room for.
    pub(super) fn write(&mut self, priority: &'static str, line: &str) {
        let mut kept = beginning(line, LOG_LINE);
        let left = LOG_CALL.saturating_sub(self.bytes);
        if left == 0 {
            self.dropped_lines += 1;
            return;
        }
        kept = beginning(kept, left);
        if kept.len() < line.len() {
            self.cut_lines += 1;
        }
        // An empty line takes room too, or a flood of them would have no end.
        self.bytes += kept.len().max(16);
        self.lines.push(LogLine { priority, text: kept.replace(['\r', '\n', '\0'], " ") });
    }

    /// Adds a line that was printed, of which an empty one says nothing, and takes a byte of room all the same; whether
    /// there is room for more.
    pub(super) fn take(&mut self, priority: &'static str, line: &str) -> bool {
        if line.is_empty() {
            self.bytes += 1;
        } else {
            self.write(priority, line);
        }
        let more = self.bytes < LOG_CALL;
        // Who prints stops here, so that nobody counts what is left out.
        self.uncounted |= !more;
        more
    }

    /// The lines, with a last one that says what was cut.
    pub(super) fn finish(mut self) -> Vec<LogLine> {
        if self.cut_lines + self.dropped_lines > 0 {
            let least = if self.uncounted { "at least " } else { "" };
            let text = format!(
                "{} lines were cut and {least}{} left out: a line may have {LOG_LINE} bytes, a call {LOG_CALL}",
                self.cut_lines, self.dropped_lines
            );
            self.lines.push(LogLine { priority: "warning", text });
        }
        self.lines
    }
}

/// A guest's words in one line of at most `limit` bytes, without control characters.
pub(super) fn one_line(text: &str, limit: usize) -> String {
    on_one_line(beginning(text, limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_between_characters_and_said() {
        let mut log = GuestLog::default();
        log.write("info", &"é".repeat(LOG_LINE));
        let lines = log.finish();
        assert_eq!(lines[0].text.len(), LOG_LINE);
        assert!(lines[1].text.starts_with("1 lines were cut"), "{}", lines[1].text);
    }

    #[test]
    fn a_flood_ends_at_the_limit_of_a_call() {
        let mut log = GuestLog::default();
        (0..100_000).for_each(|_| log.write("debug", ""));
        (0..10).for_each(|_| log.write("debug", &"x".repeat(1000)));
        let lines = log.finish();
        assert!(lines.len() < 5000, "{} lines", lines.len());
        assert!(lines.iter().map(|line| line.text.len()).sum::<usize>() <= LOG_CALL + LOG_LINE);
        assert_eq!(lines.last().map(|line| line.priority), Some("warning"));
    }

    #[test]
    fn a_line_stays_a_line() {
        let mut log = GuestLog::default();
        log.write("info", "one\r\ntwo\0three");
        assert_eq!(log.finish()[0].text, "one  two three");
    }
}
