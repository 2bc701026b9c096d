//! A communication while it runs.

use postigo_model::communication::{
    CommunicationKind, CommunicationRecord, CommunicationStatus, Direction, LogEntry, Priority,
};
use postigo_model::text::beginning;
use postigo_model::timestamp::now;

/// So many entries one communication keeps; what comes after is counted and dropped, so that a flood of log lines stays
/// small.
const MOST_ENTRIES: usize = 2_000;
/// So many bytes of values one communication keeps.
const MOST_BYTES: usize = 512 << 10;
/// So much of one value is kept.
const LONGEST_VALUE: usize = 16 << 10;
/// So much search text is kept.
const LONGEST_SEARCH: usize = 1_000;

/// Collects the entries of one connection or message.
#[derive(Debug, Clone)]
pub struct Communication {
    record: CommunicationRecord,
    bytes: usize,
    dropped: u64,
}

impl Communication {
    /// Starts one, now. `account` and `protocol` are the account's name and protocol (or `ingest`, `rest`), or a
    /// transport's name and kind.
    pub fn start(kind: CommunicationKind, account: &str, protocol: &str) -> Self {
        let record = CommunicationRecord {
            id: uuid::Uuid::now_v7().to_string(),
            account: account.to_owned(),
            protocol: protocol.to_owned(),
            kind,
            started_at: now(),
            ..CommunicationRecord::default()
        };
        Self { record, bytes: 0, dropped: 0 }
    }

    /// Names the connection's communication that brought this message.
    #[must_use]
    pub fn brought_by(mut self, parent: Option<String>) -> Self {
        self.record.parent = parent;
        self
    }

    /// Says that it is about mail that goes out.
    #[must_use]
    pub fn outgoing(mut self) -> Self {
        self.record.direction = Direction::Outgoing;
        self
    }

    /// Names the message's row in the spool.
    #[must_use]
    pub fn about(mut self, spool_id: i64) -> Self {
        self.record.spool_id = Some(spool_id);
        self
    }

    /// Says when it began (milliseconds since the epoch), where that was before now.
    #[must_use]
    pub fn begun(mut self, at: i64) -> Self {
        self.record.started_at = at;
        self
    }

    /// Names the account, where it was not known at the start.
    pub fn belongs_to(&mut self, account: &str) {
        account.clone_into(&mut self.record.account);
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// Adds an entry. `key` names what wrote it, `value` is a sentence; no secret may be in it.
    pub fn entry(&mut self, priority: Priority, key: &str, value: impl Into<String>) {
        self.record.priority = self.record.priority.max(priority);
        let mut value: String = value.into();
        value.truncate(beginning(&value, LONGEST_VALUE).len());
        if self.record.entries.len() >= MOST_ENTRIES || self.bytes + value.len() > MOST_BYTES {
            self.dropped += 1;
            return;
        }
        self.bytes += value.len();
        self.record.entries.push(LogEntry { at: now(), priority, key: key.to_owned(), value });
    }

    /// Adds text that a search finds.
    pub fn searchable(&mut self, text: &str) {
        if !text.is_empty() && self.record.search.len() < LONGEST_SEARCH {
            self.record.search.push_str(beginning(&text.to_lowercase(), LONGEST_SEARCH - self.record.search.len()));
            self.record.search.push('\n');
        }
    }

    /// The row as it is while this runs.
    pub fn so_far(&self) -> CommunicationRecord {
        let mut record = self.record.clone();
        if self.dropped > 0 {
            let value =
                format!("{} further entries were dropped: a communication keeps at most {MOST_ENTRIES}.", self.dropped);
            record.entries.push(LogEntry { at: now(), priority: Priority::Notice, key: "commlog".into(), value });
        }
        record
    }

    /// Ends it, now: failed, or successful, or in between where an entry is a warning or above.
    #[must_use]
    pub fn finish(self, failed: bool) -> CommunicationRecord {
        let mut record = self.so_far();
        record.ended_at = Some(now());
        record.status = match record.priority {
            _ if failed => CommunicationStatus::Failed,
            Priority::Warning | Priority::Error => CommunicationStatus::Warning,
            _ => CommunicationStatus::Successful,
        };
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_outcome_and_highest_priority() {
        let mut communication = Communication::start(CommunicationKind::Message, "main", "imaps");
        communication.entry(Priority::Info, "chain", "All went well.");
        assert_eq!(communication.clone().finish(false).status, CommunicationStatus::Successful);
        communication.entry(Priority::Warning, "ticket", "A value is not known.");
        communication.entry(Priority::Debug, "ticket", "Done.");
        let record = communication.clone().finish(false);
        assert_eq!((record.status, record.priority), (CommunicationStatus::Warning, Priority::Warning));
        assert_eq!(communication.finish(true).status, CommunicationStatus::Failed);
    }

    #[test]
    fn a_flood_is_cut_and_says_so() {
        let mut communication = Communication::start(CommunicationKind::Message, "main", "imaps");
        for _ in 0..MOST_ENTRIES + 10 {
            communication.entry(Priority::Debug, "filter:a", "x");
        }
        communication.entry(Priority::Error, "filter:a", "The last one failed.");
        let record = communication.finish(false);
        assert_eq!(record.entries.len(), MOST_ENTRIES + 1);
        assert_eq!(record.priority, Priority::Error, "a dropped entry's priority still counts");
        assert!(record.entries.last().is_some_and(|entry| entry.value.starts_with("11 further entries")));
    }

    #[test]
    fn cutting_respects_characters() {
        let mut communication = Communication::start(CommunicationKind::Message, "main", "imaps");
        communication.entry(Priority::Debug, "x", "é".repeat(LONGEST_VALUE));
        communication.searchable(&"É".repeat(LONGEST_SEARCH));
        let record = communication.finish(false);
        assert_eq!(record.entries[0].value.len(), LONGEST_VALUE);
        assert_eq!(record.search.trim_end(), "é".repeat(LONGEST_SEARCH / 2));
    }
}
