//! A communication while it runs.

use postigo_model::communication::{
    CommunicationKind, CommunicationRecord, CommunicationStatus, Direction, LogEntry, MailFate, MailHeading, Priority,
};
use postigo_model::plan_version::ChainTrace;
use postigo_model::text::beginning;
use postigo_model::timestamp::now;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many entries one communication keeps; what comes after is counted and dropped, so that a flood of log lines stays
/// small.
const MOST_ENTRIES: usize = 2_000;
/// So many bytes of values one communication keeps.
const MOST_BYTES: usize = 512 << 10;
/// So much of one value is kept.
const LONGEST_VALUE: usize = 16 << 10;
/// So much search text is kept.
const LONGEST_SEARCH: usize = 2_000;

/// Collects the entries of one connection or message.
#[derive(Debug)]
pub struct Communication {
    id: String,
    shared: LogView,
}

#[derive(Debug, Clone)]
struct CommunicationState {
    record: CommunicationRecord,
    bytes: usize,
    dropped: u64,
    /// What it waits for at present.
    wait: Option<LogEntry>,
}

/// A look at a communication while it runs: it has what was noted up to the moment at which it is asked.
#[derive(Debug)]
pub struct LogView(Arc<Mutex<CommunicationState>>);

impl LogView {
    fn lock(&self) -> MutexGuard<'_, CommunicationState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what it waits for from now on, a sentence with the key of what wrote it; it is shown until it ends.
    pub fn begin_wait(&self, key: &str, sentence: String) {
        self.lock().wait = Some(LogEntry { at: now(), priority: Priority::Info, key: key.to_owned(), value: sentence });
    }

    /// It waits for nothing any more.
    pub fn end_wait(&self) {
        self.lock().wait = None;
    }

    /// The row as it is while this runs.
    pub fn so_far(&self) -> CommunicationRecord {
        let state = self.lock();
        let mut record = state.told();
        if let Some(wait) = &state.wait {
            let place = record.entries.partition_point(|entry| entry.at <= wait.at);
            record.priority = record.priority.max(wait.priority);
            record.entries.insert(place, wait.clone());
        }
        record
    }
}

impl CommunicationState {
    fn told(&self) -> CommunicationRecord {
        let mut record = self.record.clone();
        if self.dropped > 0 {
            let value =
                format!("{} further entries were dropped: a communication keeps at most {MOST_ENTRIES}.", self.dropped);
            record.entries.push(LogEntry { at: now(), priority: Priority::Notice, key: "commlog".into(), value });
        }
        record
    }
}

/// A copy goes its own way: what either notes afterwards, the other has not.
impl Clone for Communication {
    fn clone(&self) -> Self {
        let state = self.shared.lock().clone();
        Self { id: self.id.clone(), shared: LogView(Arc::new(Mutex::new(state))) }
    }
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
        let id = record.id.clone();
        let state = CommunicationState { record, bytes: 0, dropped: 0, wait: None };
        Self { id, shared: LogView(Arc::new(Mutex::new(state))) }
    }

    /// Starts that of a message which this connection was to bring.
    #[must_use]
    pub fn of_message(&self) -> Self {
        let state = self.shared.lock();
        let message = Self::start(CommunicationKind::Message, &state.record.account, &state.record.protocol);
        drop(state);
        message.brought_by(Some(self.id.clone()))
    }

    /// Names the connection's communication that brought this message.
    #[must_use]
    pub fn brought_by(self, parent: Option<String>) -> Self {
        self.shared.lock().record.parent = parent;
        self
    }

    /// Names the connection's communication that takes this message on, once there is one.
    pub fn goes_by(&mut self, connection: &str) {
        self.shared.lock().record.parent = Some(connection.to_owned());
    }

    /// Says that it is about mail that goes out.
    #[must_use]
    pub fn outgoing(self) -> Self {
        self.shared.lock().record.direction = Direction::Outgoing;
        self
    }

    /// Names the message's row in the spool.
    #[must_use]
    pub fn about(self, spool_id: i64) -> Self {
        self.shared.lock().record.spool_id = Some(spool_id);
        self
    }

    /// Says when it began (milliseconds since the epoch), where that was before now.
    #[must_use]
    pub fn begun(self, at: i64) -> Self {
        self.shared.lock().record.started_at = at;
        self
    }

    /// Names the account, where it was not known at the start.
    pub fn belongs_to(&mut self, account: &str) {
        account.clone_into(&mut self.shared.lock().record.account);
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Adds an entry. `key` names what wrote it, `value` is a sentence; no secret may be in it.
    pub fn entry(&mut self, priority: Priority, key: &str, value: impl Into<String>) {
        let mut value: String = value.into();
        value.truncate(beginning(&value, LONGEST_VALUE).len());
        let mut state = self.shared.lock();
        state.record.priority = state.record.priority.max(priority);
        if state.record.entries.len() >= MOST_ENTRIES || state.bytes + value.len() > MOST_BYTES {
            state.dropped += 1;
            return;
        }
        state.bytes += value.len();
        state.record.entries.push(LogEntry { at: now(), priority, key: key.to_owned(), value });
    }

    /// Says what the entries of a chain's filters leave out: those that come next are of filters, and of these filters
    /// alone, by their places in the chain.
    pub fn entries_of_chain(&mut self, plan: i64, ran: usize, told: Vec<usize>) {
        let mut state = self.shared.lock();
        let first = state.record.entries.len();
        state.record.chain = Some(ChainTrace { plan, first, ran, told });
    }

    /// Adds text that a search finds.
    pub fn searchable(&mut self, text: &str) {
        let search = &mut self.shared.lock().record.search;
        if !text.is_empty() && search.len() < LONGEST_SEARCH {
            search.push_str(beginning(&text.to_lowercase(), LONGEST_SEARCH - search.len()));
            search.push('\n');
        }
    }

    /// Says which mail it is about, and makes it be found by that.
    pub fn about_mail(&mut self, heading: &MailHeading) {
        for (_, value) in heading.fields() {
            self.searchable(value);
        }
        self.shared.lock().record.heading = heading.clone();
    }

    /// Says what became of the mail.
    pub fn came_to(&mut self, fate: MailFate) {
        self.shared.lock().record.fate = Some(fate);
    }

    /// Has it be found by a filter that matched, changed something or failed.
    pub fn touched_by(&mut self, filter: &str) {
        self.shared.lock().record.filters.push(filter.to_owned());
    }

    /// The row as it is while this runs.
    pub fn so_far(&self) -> CommunicationRecord {
        self.shared.so_far()
    }

    /// A look at it for somebody who shows it while others note more.
    pub fn view(&self) -> LogView {
        LogView(Arc::clone(&self.shared.0))
    }

    /// Ends it, now: failed, or successful, or in between where an entry is a warning or above.
    #[must_use]
    pub fn finish(self, failed: bool) -> CommunicationRecord {
        let mut record = self.shared.lock().told();
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
