//! The rows of the communication log.

mod empty;

pub use empty::save_empty;

use super::StoreError;
use super::broken_tasks::{self, BrokenTask};
use super::packing::{pack_entries, unpack_entries};
use super::sql::{Sql, Value, contains_pattern, pieces};
use postigo_model::communication::{
    CommunicationKind, CommunicationRecord, CommunicationStatus, Direction, EmptyFetches, LogEntry, MailHeading,
    Priority,
};
use postigo_model::timestamp::now;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

/// Writes a communication, or what it is now.
pub async fn save(connection: &mut AnyConnection, record: &CommunicationRecord) -> Result<(), StoreError> {
    save_all(connection, std::slice::from_ref(record)).await
}

/// Writes communications, or what they are now.
pub async fn save_all(connection: &mut AnyConnection, records: &[CommunicationRecord]) -> Result<(), StoreError> {
    for piece in pieces(records) {
        let mut sql = Sql::new(
            "INSERT INTO communication (id, parent, account, transport, direction, kind, status, started_at, ended_at, priority, spool_id, article_id, search, entries, sender, recipients, subject, message_id, ticket_number, fate) VALUES ",
        );
        sql.tuples(piece.iter().map(row));
        sql.push(" ON CONFLICT (id) DO UPDATE SET parent = excluded.parent, status = excluded.status, ended_at = excluded.ended_at, priority = excluded.priority,");
        sql.push(" spool_id = excluded.spool_id, article_id = excluded.article_id, search = excluded.search, entries = excluded.entries,");
        sql.push(" sender = excluded.sender, recipients = excluded.recipients, subject = excluded.subject, message_id = excluded.message_id,");
        sql.push(" ticket_number = excluded.ticket_number, fate = excluded.fate");
        sql.execute(connection).await?;
        let mut sql = Sql::new("INSERT INTO communication_entries (id, plan, entries) VALUES ");
        sql.tuples(piece.iter().map(entries_row).collect::<Result<Vec<_>, _>>()?);
        sql.push(" ON CONFLICT (id) DO UPDATE SET plan = excluded.plan, entries = excluded.entries");
        sql.execute(connection).await?;
    }
    let touched = |record: &CommunicationRecord| -> Vec<[Value; 2]> {
        record.filters.iter().map(|filter| [filter.into(), (&record.id).into()]).collect()
    };
    let filters: Vec<[Value; 2]> = records.iter().flat_map(touched).collect();
    for piece in pieces(&filters) {
        let mut sql = Sql::new("INSERT INTO communication_filter (filter, id) VALUES ");
        sql.tuples(piece.iter().cloned()).push(" ON CONFLICT DO NOTHING").execute(connection).await?;
    }
    Ok(())
}

/// What `communication.entries` has where the entries lie apart; an earlier version of the program reads it as none.
const APART: &str = "[]";

fn entries_row(record: &CommunicationRecord) -> Result<[Value; 3], StoreError> {
    let plan = record.chain.as_ref().map(|chain| chain.plan);
    Ok([(&record.id).into(), plan.into(), pack_entries(record)?.into()])
}

fn row(record: &CommunicationRecord) -> [Value; 20] {
    [
        (&record.id).into(),
        (&record.parent).into(),
        (&record.account).into(),
        (&record.protocol).into(),
        record.direction.name().into(),
        record.kind.name().into(),
        record.status.name().into(),
        record.started_at.into(),
        record.ended_at.into(),
        i64::from(record.priority as u8).into(),
        record.spool_id.into(),
        record.article_id.into(),
        (&record.search).into(),
        APART.into(),
        (&record.heading.sender).into(),
        (&record.heading.recipients).into(),
        (&record.heading.subject).into(),
        (&record.heading.message_id).into(),
        (&record.ticket_number).into(),
        record.fate.map(|fate| fate.name().to_owned()).into(),
    ]
}

/// Which communications a list has.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Started at or after, milliseconds since the epoch.
    pub since: Option<i64>,
    /// Started before, milliseconds since the epoch.
    pub until: Option<i64>,
    /// Of the account, or going out the transport, of this name.
    pub account: Option<String>,
    /// That go this way.
    pub direction: Option<Direction>,
    /// Of this kind.
    pub kind: Option<CommunicationKind>,
    /// Of the mails that are articles of the ticket with this number now, or are answers to one.
    pub ticket: Option<String>,
    /// Of the mails that the filter of this name matched, or failed on.
    pub filter: Option<String>,
    /// Of the messages that this connection brought.
    pub parent: Option<String>,
    /// With this status.
    pub status: Option<CommunicationStatus>,
    /// Whose highest priority is this or above.
    pub priority: Option<Priority>,
    /// With this text in addresses, subject, Message-ID or account, case ignored.
    pub search: Option<String>,
    /// In which order.
    pub sort: LogSort,
    /// In the opposite order.
    pub reverse: bool,
    /// Past so many of the order.
    pub offset: i64,
    /// So many at most.
    pub limit: i64,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogSort {
    /// Last started first.
    #[default]
    Newest,
    /// First started first.
    Oldest,
    /// Longest first.
    Duration,
    /// By account, last started first.
    Account,
    /// By status, last started first.
    Status,
    /// Highest priority first, last started first.
    Priority,
}

impl LogSort {
    /// With their names, as statements have them, and the opposite of that.
    const ALL: [(Self, &'static str, &'static str, &'static str); 6] = [
        (Self::Newest, "newest", "id DESC", "id"),
        (Self::Oldest, "oldest", "id", "id DESC"),
        (
            Self::Duration,
            "duration",
            "COALESCE(took, ended_at - started_at, 0) DESC, id DESC",
            "COALESCE(took, ended_at - started_at, 0), id",
        ),
        (Self::Account, "account", "account, id DESC", "account DESC, id"),
        (Self::Status, "status", "status, id DESC", "status DESC, id"),
        (Self::Priority, "priority", "priority DESC, id DESC", "priority, id"),
    ];

    fn order(self, reverse: bool) -> &'static str {
        let found = Self::ALL.iter().find(|(sort, ..)| *sort == self);
        found.map_or("id DESC", |(_, _, order, reversed)| if reverse { reversed } else { order })
    }
}

impl FromStr for LogSort {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, known, ..)| *known == name).map(|(sort, ..)| *sort);
        found.ok_or_else(|| {
            format!("\"{name}\" is no order; there are: {}.", Self::ALL.map(|(_, name, ..)| name).join(", "))
        })
    }
}

const COLUMNS: &str = "id, parent, account, transport, kind, status, started_at, ended_at, priority, spool_id, article_id, direction, sender, recipients, subject, message_id, ticket_number, fate, fetches, last_at";

fn read(row: &AnyRow) -> Result<CommunicationRecord, StoreError> {
    let corrupt = |reason: String| StoreError::Corrupt { what: "communication", reason };
    let priority = match row.try_get::<i64, _>(8)? {
        ..=0 => Priority::Debug,
        1 => Priority::Info,
        2 => Priority::Notice,
        3 => Priority::Warning,
        _ => Priority::Error,
    };
    Ok(CommunicationRecord {
        id: row.try_get(0)?,
        parent: row.try_get(1)?,
        account: row.try_get(2)?,
        protocol: row.try_get(3)?,
        kind: CommunicationKind::from_str(row.try_get(4)?).map_err(corrupt)?,
        status: CommunicationStatus::from_str(row.try_get(5)?).map_err(corrupt)?,
        started_at: row.try_get(6)?,
        ended_at: row.try_get(7)?,
        priority,
        spool_id: row.try_get(9)?,
        article_id: row.try_get(10)?,
        direction: Direction::from_str(row.try_get(11)?).map_err(corrupt)?,
        heading: MailHeading {
            sender: row.try_get(12)?,
            recipients: row.try_get(13)?,
            subject: row.try_get(14)?,
            message_id: row.try_get(15)?,
        },
        ticket_number: row.try_get(16)?,
        fate: row.try_get::<Option<String>, _>(17)?.map(|fate| fate.parse()).transpose().map_err(corrupt)?,
        empty_fetches: match row.try_get(19)? {
            Some(last_at) => Some(EmptyFetches { count: row.try_get(18)?, last_at }),
            None => None,
        },
        ..CommunicationRecord::default()
    })
}

/// Communications with what was searched for in them and their entries, wherever these lie. The columns that both tables
/// have are named with their table.
fn whole() -> Sql {
    Sql::new(format!(
        "SELECT communication.{COLUMNS}, search, communication.entries, apart.entries, apart.plan FROM communication LEFT JOIN communication_entries AS apart ON apart.id = communication.id WHERE "
    ))
}

fn read_whole(row: &AnyRow) -> Result<CommunicationRecord, StoreError> {
    let mut record = CommunicationRecord { search: row.try_get(20)?, ..read(row)? };
    let written: &str = row.try_get(21)?;
    if written == APART {
        if let Some(packed) = row.try_get::<Option<Vec<u8>>, _>(22)? {
            unpack_entries(&mut record, &packed, row.try_get(23)?)?;
        }
    } else {
        record.entries = read_written(written)?;
    }
    Ok(record)
}

/// Reads entries as they were written before they lay apart.
pub(super) fn read_written(entries: &str) -> Result<Vec<LogEntry>, StoreError> {
    serde_json::from_str(entries)
        .map_err(|error| StoreError::Corrupt { what: "communication", reason: error.to_string() })
}

/// Communications, without their entries.
pub async fn list(connection: &mut AnyConnection, filter: &LogFilter) -> Result<Vec<CommunicationRecord>, StoreError> {
    let mut sql = Sql::new(format!("SELECT {COLUMNS} FROM communication WHERE 1 = 1"));
    between(&mut sql, filter.since, filter.until);
    if let Some(account) = &filter.account {
        sql.push(" AND account = ").bind(account);
    }
    if let Some(direction) = filter.direction {
        sql.push(" AND direction = ").bind(direction.name());
    }
    if let Some(kind) = filter.kind {
        sql.push(" AND kind = ").bind(kind.name());
    }
    if let Some(number) = &filter.ticket {
        sql.push(" AND article_id IN (SELECT article.id FROM ticket JOIN article ON article.ticket_id = ticket.id WHERE ticket.number = ");
        sql.bind(number).push(")");
    }
    if let Some(name) = &filter.filter {
        sql.push(" AND id IN (SELECT id FROM communication_filter WHERE filter = ").bind(name);
        if let Some(since) = filter.since {
            sql.push(" AND id >= ").bind(first_id(since));
        }
        before(&mut sql, filter.until);
        sql.push(")");
    }
    if let Some(parent) = &filter.parent {
        sql.push(" AND parent = ").bind(parent);
    }
    if let Some(status) = filter.status {
        sql.push(" AND status = ").bind(status.name());
    }
    if let Some(priority) = filter.priority {
        sql.push(" AND priority >= ").bind(i64::from(priority as u8));
    }
    if let Some(text) = &filter.search {
        let pattern = contains_pattern(&text.to_lowercase());
        sql.push(" AND (search LIKE ")
            .bind(&pattern)
            .push(" ESCAPE '\\' OR LOWER(account) LIKE ")
            .bind(&pattern)
            .push(" ESCAPE '\\')");
    }
    sql.push(" ORDER BY ").push(filter.sort.order(filter.reverse));
    sql.push(" LIMIT ").bind(filter.limit).push(" OFFSET ").bind(filter.offset);
    sql.all(connection).await?.iter().map(read).collect()
}

/// Whether there is a communication with this id.
pub async fn is_there(connection: &mut AnyConnection, id: &str) -> Result<bool, StoreError> {
    let mut sql = Sql::new("SELECT 1 FROM communication WHERE id = ");
    sql.bind(id).push(" OR parent = ").bind(id).push(" LIMIT 1");
    Ok(sql.optional(connection).await?.is_some())
}

/// Ids are UUIDs of version 7, so a span of time is a span of the primary key. Empty fetches reach to the last of them.
fn between(sql: &mut Sql, since: Option<i64>, until: Option<i64>) {
    if let Some(since) = since {
        sql.push(" AND (id >= ").bind(first_id(since)).push(" OR last_at >= ").bind(since).push(")");
    }
    before(sql, until);
}

fn before(sql: &mut Sql, until: Option<i64>) {
    if let Some(until) = until {
        sql.push(" AND id < ").bind(first_id(until));
    }
}

fn first_id(at: i64) -> String {
    let at = u64::try_from(at).unwrap_or_default() & 0xffff_ffff_ffff;
    format!("{:08x}-{:04x}-", at >> 16, at & 0xffff)
}

/// A communication with its entries, and with those of the other side: a message's connection, a connection's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownCommunication {
    /// The one that was asked for.
    pub communication: CommunicationRecord,
    /// The connection that brought a message, or the messages that a connection brought (at most 1,000), in their
    /// order.
    pub related: Vec<CommunicationRecord>,
    /// How many there are.
    pub related_count: i64,
}

/// So many of the messages that a connection brought are shown with it.
const MOST_RELATED: i64 = 1_000;

/// One communication. Of the entries, those of this priority and above; what they leave out is said where all are asked
/// for.
pub async fn show(
    connection: &mut AnyConnection,
    id: &str,
    priority: Priority,
) -> Result<Option<ShownCommunication>, StoreError> {
    let mut sql = whole();
    let Some(row) = sql.push("communication.id = ").bind(id).optional(connection).await? else { return Ok(None) };
    let mut communication = read_whole(&row)?;
    let mut sql = whole();
    match &communication.parent {
        Some(parent) => sql.push("communication.id = ").bind(parent),
        None => sql.push("parent = ").bind(id),
    };
    let rows = sql.push(" ORDER BY communication.id LIMIT ").bind(MOST_RELATED).all(connection).await?;
    let mut related = rows.iter().map(read_whole).collect::<Result<Vec<_>, _>>()?;
    for record in related.iter_mut().chain([&mut communication]).filter(|_| priority > Priority::Debug) {
        record.entries.retain(|entry| entry.priority >= priority);
        // What is left out is of the lowest priority.
        record.chain = None;
    }
    let mut related_count = related.len() as i64;
    if related_count == MOST_RELATED {
        let mut sql = Sql::new("SELECT COUNT(*) FROM communication WHERE parent = ");
        related_count = sql.bind(id).one(connection).await?.try_get(0)?;
    }
    Ok(Some(ShownCommunication { communication, related, related_count }))
}

/// The peer's four figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overview {
    /// By account, how its last connection (else message) ended, and how many failed.
    pub accounts: BTreeMap<String, AccountStatus>,
    /// The same by transport.
    pub transports: BTreeMap<String, AccountStatus>,
    /// How many communications have which status.
    pub statuses: BTreeMap<String, i64>,
    /// How many run.
    pub active: i64,
    /// Mean milliseconds from start to end, of messages and fetches that ended. Connections that wait for the next mail,
    /// to a server or of a listener's client, last as long as somebody likes.
    pub mean_milliseconds: Option<f64>,
    /// Tasks of the daemons that are broken now, whatever the span of time.
    pub broken_tasks: Vec<BrokenTask>,
}

/// How an account or transport does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountStatus {
    /// Of the last communication that ended; of an account, of a connection where there was one. `processing` where none
    /// has ended.
    pub status: CommunicationStatus,
    /// When that one started, milliseconds since the epoch.
    pub last: i64,
    /// Communications.
    pub communications: i64,
    /// Those that failed.
    pub failed: i64,
}

/// Connections that wait for the next mail.
const WAITS: &str = "kind = 'connection' AND (direction = 'outgoing' OR transport IN ('lmtp', 'smtp'))";

/// The figures of communications started in this span of time (milliseconds since the epoch).
pub async fn overview(
    connection: &mut AnyConnection,
    since: Option<i64>,
    until: Option<i64>,
) -> Result<Overview, StoreError> {
    let mut overview = Overview { broken_tasks: broken_tasks::all(connection).await?, ..Overview::default() };
    let count = counted_since(since);
    let mut sql = Sql::new(format!(
        "SELECT account, direction, kind, status, CAST(SUM({count}) AS BIGINT), CAST(COALESCE(SUM(CASE WHEN {WAITS} THEN 0 ELSE COALESCE(took, ended_at - started_at) * ({count}) / fetches END), 0) AS BIGINT), MAX(id), CAST(SUM(CASE WHEN {WAITS} THEN 0 ELSE {count} END) AS BIGINT), COALESCE(MAX(last_at), 0) FROM communication WHERE 1 = 1"
    ));
    between(&mut sql, since, until);
    let rows = sql.push(" GROUP BY account, direction, kind, status").all(connection).await?;
    let (mut ended, mut took) = (0, 0);
    let mut last: HashMap<(Direction, String), (bool, bool, i64, String)> = HashMap::new();
    for row in &rows {
        let corrupt = |reason| StoreError::Corrupt { what: "communication", reason };
        let name: String = row.try_get(0)?;
        let direction = Direction::from_str(row.try_get(1)?).map_err(corrupt)?;
        let is_connection = row.try_get::<&str, _>(2)? == CommunicationKind::Connection.name();
        let status = CommunicationStatus::from_str(row.try_get(3)?).map_err(corrupt)?;
        let (count, milliseconds, id): (i64, i64, String) = (row.try_get(4)?, row.try_get(5)?, row.try_get(6)?);
        *overview.statuses.entry(status.name().to_owned()).or_default() += count;
        if status == CommunicationStatus::Processing {
            overview.active += count;
        } else {
            (ended, took) = (ended + row.try_get::<i64, _>(7)?, took + milliseconds);
        }
        // An answer that was never composed had no transport.
        if name.is_empty() {
            continue;
        }
        let all = if direction == Direction::Incoming { &mut overview.accounts } else { &mut overview.transports };
        let account = all.entry(name.clone()).or_default();
        account.communications += count;
        account.failed += if status == CommunicationStatus::Failed { count } else { 0 };
        // One that runs tells of an account only where none has ended. What an account's messages come to is no matter of
        // its server; a transport is for its mails, and a connection that ends well later makes none of them arrive.
        let is_telling = is_connection || direction == Direction::Outgoing;
        let at = started(&id).max(row.try_get(8)?);
        let rank = (status != CommunicationStatus::Processing, is_telling, at, id);
        let known = last.entry((direction, name)).or_default();
        if *known < rank {
            account.status = status;
            account.last = rank.2;
            *known = rank;
        }
    }
    overview.mean_milliseconds = (ended > 0).then(|| took as f64 / ended as f64);
    Ok(overview)
}

/// How many communications a row counts for since a time: of the empty fetches of a day those since then, which come at
/// even intervals; at least the last.
fn counted_since(since: Option<i64>) -> String {
    let Some(since) = since.filter(|since| *since > 0) else { return "fetches".to_owned() };
    format!(
        "CASE WHEN last_at > started_at AND started_at < {since} THEN 1 + (fetches - 1) * (last_at - {since}) / (last_at - started_at) ELSE fetches END"
    )
}

/// The time in a UUID of version 7.
fn started(id: &str) -> i64 {
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    i64::from_str_radix(&digits, 16).unwrap_or_default()
}

fn abandoned() -> Sql {
    let mut sql = whole();
    sql.push("status = 'processing'");
    sql
}

/// After a host's unclean end: its communications of this account are over too.
pub async fn end_abandoned(connection: &mut AnyConnection, account: &str) -> Result<(), StoreError> {
    let mut sql = abandoned();
    sql.push(" AND direction = 'incoming' AND account = ").bind(account);
    end_all(connection, &mut sql).await
}

/// What goes out ends sooner than this, in milliseconds, or the host did before it.
pub const SENT_WITHIN: i64 = 3 * 60 * 60 * 1_000;

/// After a host's unclean end: what it was sending, begun before this time (milliseconds since the epoch), is over too.
pub async fn end_unsent(connection: &mut AnyConnection, before: i64) -> Result<(), StoreError> {
    let mut sql = abandoned();
    sql.push(" AND direction = 'outgoing' AND communication.id < ").bind(first_id(before));
    end_all(connection, &mut sql).await
}

async fn end_all(connection: &mut AnyConnection, sql: &mut Sql) -> Result<(), StoreError> {
    let rows = sql.all(connection).await?;
    let mut ended = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut record = read_whole(row)?;
        let value = "The host ended before this communication did.".to_owned();
        record.entries.push(LogEntry { at: now(), priority: Priority::Error, key: "commlog".into(), value });
        record.priority = Priority::Error;
        record.status = CommunicationStatus::Failed;
        record.ended_at = Some(now());
        ended.push(record);
    }
    save_all(connection, &ended).await
}

/// So many rows one call of [`purge`] removes at most: other writes wait for it.
pub const PURGED_AT_ONCE: u64 = 5_000;

/// Removes communications that started before these times: the successful (warnings among them), and the failed and
/// unfinished ones. Gives their number; if that is [`PURGED_AT_ONCE`], there are more.
pub async fn purge(
    connection: &mut AnyConnection,
    successful_before: i64,
    failed_before: i64,
) -> Result<u64, StoreError> {
    let removed_from = |table: &str| {
        let mut sql = Sql::new(format!(
            "DELETE FROM {table} WHERE id IN (SELECT id FROM communication WHERE (status IN ('successful', 'warning') AND id < "
        ));
        sql.bind(first_id(successful_before))
            .push(") OR (status IN ('failed', 'processing') AND id < ")
            .bind(first_id(failed_before));
        sql.push(") ORDER BY id LIMIT ").bind(PURGED_AT_ONCE).push(")");
        sql
    };
    for table in ["communication_filter", "communication_entries"] {
        removed_from(table).execute(connection).await?;
    }
    removed_from("communication").execute(connection).await
}

/// The communications of an article, oldest first.
pub async fn of_article(connection: &mut AnyConnection, article_id: i64) -> Result<Vec<String>, StoreError> {
    let mut sql = Sql::new("SELECT id FROM communication WHERE article_id = ");
    let rows = sql.bind(article_id).push(" ORDER BY id").all(connection).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// The communications of a ticket's articles, by article, oldest first: how each came in or went out.
pub async fn of_ticket(
    connection: &mut AnyConnection,
    ticket_id: i64,
) -> Result<HashMap<i64, Vec<String>>, StoreError> {
    let mut sql = Sql::new(
        "SELECT communication.article_id, communication.id FROM article JOIN communication ON communication.article_id = article.id WHERE article.ticket_id = ",
    );
    let rows = sql.bind(ticket_id).push(" ORDER BY communication.id").all(connection).await?;
    let mut found: HashMap<i64, Vec<String>> = HashMap::new();
    for row in &rows {
        found.entry(row.try_get(0)?).or_default().push(row.try_get(1)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commlog::Communication;
    use crate::store::{Location, Store};

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        (folder, store)
    }

    async fn keep_all(store: &Store, records: Vec<CommunicationRecord>) {
        store.write(records, |records, connection| Box::pin(save_all(connection, records))).await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_ends_well_after_its_mail_failed_makes_its_transport_no_success() {
        let (_folder, store) = store().await;
        let connection = Communication::start(CommunicationKind::Connection, "out", "smtp").outgoing();
        let mail = Communication::start(CommunicationKind::Message, "out", "smtp").outgoing();
        keep_all(&store, vec![mail.finish(true)]).await;
        let mut idle = connection.finish(false);
        idle.ended_at = Some(idle.started_at + 50_000);
        keep_all(&store, vec![idle]).await;
        let status = async || {
            overview(&mut store.read().await.unwrap(), None, None).await.unwrap().transports.remove("out").unwrap()
        };
        assert_eq!(status().await.status, CommunicationStatus::Failed);
        let next = Communication::start(CommunicationKind::Message, "out", "smtp").outgoing();
        keep_all(&store, vec![next.finish(false)]).await;
        assert_eq!(status().await.status, CommunicationStatus::Successful, "the next mail decides");
    }

    #[tokio::test]
    async fn connections_that_wait_for_mail_do_not_count_for_the_mean_time() {
        use CommunicationKind::{Connection, Message};
        let (_folder, store) = store().await;
        let lasting = |communication: Communication, milliseconds: i64| {
            let mut record = communication.finish(false);
            record.ended_at = Some(record.started_at + milliseconds);
            record
        };
        let records = vec![
            lasting(Communication::start(Message, "out", "smtp").outgoing(), 20),
            lasting(Communication::start(Connection, "main", "imap"), 40),
            lasting(Communication::start(Connection, "out", "smtp").outgoing(), 30_000),
            lasting(Communication::start(Connection, "door", "lmtp"), 60_000),
        ];
        keep_all(&store, records).await;
        let overview = overview(&mut store.read().await.unwrap(), None, None).await.unwrap();
        assert_eq!((overview.mean_milliseconds, overview.active), (Some(30.0), 0));
        assert_eq!(overview.statuses["successful"], 4);
    }

    #[tokio::test]
    async fn of_a_large_fetch_is_said_how_many_messages_there_are_and_all_can_be_listed() {
        let (_folder, store) = store().await;
        let fetch = Communication::start(CommunicationKind::Connection, "main", "imap");
        let id = fetch.id().to_owned();
        let message = || {
            Communication::start(CommunicationKind::Message, "main", "imap").brought_by(Some(id.clone())).finish(false)
        };
        let mut records: Vec<CommunicationRecord> = (0..MOST_RELATED + 5).map(|_| message()).collect();
        records.push(fetch.finish(false));
        keep_all(&store, records).await;
        let mut connection = store.read().await.unwrap();
        let shown = show(&mut connection, &id, Priority::Debug).await.unwrap().unwrap();
        assert_eq!((shown.related.len() as i64, shown.related_count), (MOST_RELATED, MOST_RELATED + 5));
        let filter = LogFilter { parent: Some(id), limit: 10_000, ..LogFilter::default() };
        assert_eq!(list(&mut connection, &filter).await.unwrap().len() as i64, MOST_RELATED + 5);
        let one = show(&mut connection, &shown.related[0].id, Priority::Debug).await.unwrap().unwrap();
        assert_eq!((one.related.len(), one.related_count), (1, 1));
    }

    #[tokio::test]
    async fn what_a_host_was_sending_when_it_ended_is_told_to_be_over() {
        let (_folder, store) = store().await;
        let sending = Communication::start(CommunicationKind::Message, "out", "smtp").outgoing();
        let id = sending.id().to_owned();
        keep_all(&store, vec![sending.so_far()]).await;
        let status = async |before: i64| {
            store.write(before, |before, connection| Box::pin(end_unsent(connection, *before))).await.unwrap();
            show(&mut store.read().await.unwrap(), &id, Priority::Debug).await.unwrap().unwrap().communication.status
        };
        assert_eq!(status(now() - SENT_WITHIN).await, CommunicationStatus::Processing);
        assert_eq!(status(now() + 1_000).await, CommunicationStatus::Failed);
    }

    #[tokio::test]
    async fn an_account_of_which_nothing_has_ended_is_told_of_by_what_runs() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let keep = async |record: CommunicationRecord| {
            store.write(record, |record, connection| Box::pin(save(connection, record))).await.unwrap();
            overview(&mut store.read().await.unwrap(), None, None).await.unwrap().accounts.remove("main").unwrap()
        };
        let first = Communication::start(CommunicationKind::Connection, "main", "imap");
        let told = keep(first.so_far()).await;
        assert_eq!((told.status, told.failed), (CommunicationStatus::Processing, 0));
        // Its time is the one in its id, which is drawn a moment before.
        let started_at = first.so_far().started_at;
        assert!((started_at - 1000..=started_at).contains(&told.last), "{} is not about {started_at}", told.last);
        assert_eq!(keep(first.finish(true)).await.status, CommunicationStatus::Failed);
        let second = Communication::start(CommunicationKind::Connection, "main", "imap");
        assert_eq!(keep(second.so_far()).await.status, CommunicationStatus::Failed, "how the last one ended");
    }
}
