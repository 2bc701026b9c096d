//! The rows of the communication log.

mod empty;
pub mod export;
mod figures;
mod list;
mod overview;
mod place;
mod summing;
mod sums;
mod time_span;
mod written;

pub use empty::save_empty;
pub use list::{LogFilter, LogPage, LogSort, list, page};
pub use overview::{AccountStatus, Overview, has_account_or_transport, overview};
pub use place::LogPlace;
pub use summing::Summing;
pub(super) use written::lay_apart;

use super::packing::{pack_entries, unpack_entries};
use super::sql::{Sql, Value, pieces};
use super::{Engine, StoreError};
use postigo_model::communication::{
    CommunicationKind, CommunicationRecord, CommunicationStatus, Direction, EmptyFetches, LogEntry, MailHeading,
    Priority,
};
use postigo_model::timestamp::now;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::HashMap;
use std::str::FromStr;
use time_span::first_id;

/// Writes a communication, or what it is now.
pub async fn save(connection: &mut AnyConnection, record: &CommunicationRecord) -> Result<(), StoreError> {
    save_all(connection, std::slice::from_ref(record)).await
}

/// Writes communications, or what they are now.
pub async fn save_all(connection: &mut AnyConnection, records: &[CommunicationRecord]) -> Result<(), StoreError> {
    let summing_to = write_all(connection, records).await?;
    sums::mark(connection, records.iter().map(|record| record.id.as_str()), summing_to).await
}

/// Writes communications without a word about sums; gives the time before which what started is in them, or soon will
/// be.
async fn write_all(connection: &mut AnyConnection, records: &[CommunicationRecord]) -> Result<i64, StoreError> {
    let mut summing_to = None;
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
        // Never with the statement above: what it says must have been looked up after that one wrote.
        let is_postgres = Engine::of(connection) == Engine::Postgres;
        let mut sql = Sql::new(if is_postgres { "WITH saved AS (" } else { "" });
        sql.push("INSERT INTO communication_entries (id, plan, entries) VALUES ");
        sql.tuples(piece.iter().map(entries_row).collect::<Result<Vec<_>, _>>()?);
        sql.push(" ON CONFLICT (id) DO UPDATE SET plan = excluded.plan, entries = excluded.entries");
        // One way to the database for both. SQLite would answer for each row.
        match (is_postgres, piece.len()) {
            (true, _) => _ = sql.push(") ").push(sums::SUMMING_TO),
            (false, 1) => _ = sql.push(" RETURNING (").push(sums::SUMMING_TO).push(")"),
            (false, _) => {
                sql.execute(connection).await?;
                continue;
            }
        }
        summing_to = Some(sql.one(connection).await?.try_get(0)?);
    }
    let summing_to = match summing_to {
        Some(summing_to) => summing_to,
        None => Sql::new(sums::SUMMING_TO).one(connection).await?.try_get(0)?,
    };
    let touched = |record: &CommunicationRecord| -> Vec<[Value; 2]> {
        record.filters.iter().map(|filter| [filter.into(), (&record.id).into()]).collect()
    };
    let filters: Vec<[Value; 2]> = records.iter().flat_map(touched).collect();
    for piece in pieces(&filters) {
        let mut sql = Sql::new("INSERT INTO communication_filter (filter, id) VALUES ");
        sql.tuples(piece.iter().cloned()).push(" ON CONFLICT DO NOTHING").execute(connection).await?;
    }
    Ok(summing_to)
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
    if let Some(packed) = row.try_get::<Option<Vec<u8>>, _>(22)? {
        unpack_entries(&mut record, &packed, row.try_get(23)?)?;
    }
    let written: &str = row.try_get(21)?;
    if written != APART {
        add_written(&mut record, written)?;
    }
    Ok(record)
}

/// Adds what is written in the communication's own row to the entries that lay apart. A program of before that ends a communication of this version sees
/// none of those, and writes its own alone; one that began it itself wrote all, before some of them were packed.
fn add_written(record: &mut CommunicationRecord, written: &str) -> Result<(), StoreError> {
    let written: Vec<LogEntry> = serde_json::from_str(written)
        .map_err(|error| StoreError::Corrupt { what: "communication", reason: error.to_string() })?;
    if written.starts_with(&record.entries) {
        record.entries = written;
    } else {
        record.entries.extend(written);
    }
    Ok(())
}

/// Whether there is a communication with this id.
pub async fn is_there(connection: &mut AnyConnection, id: &str) -> Result<bool, StoreError> {
    let mut sql = Sql::new("SELECT 1 FROM communication WHERE id = ");
    sql.bind(id).push(" OR parent = ").bind(id).push(" LIMIT 1");
    Ok(sql.optional(connection).await?.is_some())
}

/// Whether a filter of this name had to do with a mail in the log.
pub async fn has_filter(connection: &mut AnyConnection, name: &str) -> Result<bool, StoreError> {
    let mut sql = Sql::new("SELECT 1 FROM communication_filter WHERE filter = ");
    Ok(sql.bind(name).push(" LIMIT 1").optional(connection).await?.is_some())
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
            "DELETE FROM {table} WHERE id IN (SELECT id FROM communication WHERE ((status IN ('successful', 'warning') AND id < "
        ));
        sql.bind(first_id(successful_before))
            .push(AND_LAST)
            .bind(successful_before)
            .push(")) OR (status IN ('failed', 'processing') AND id < ")
            .bind(first_id(failed_before))
            .push(AND_LAST)
            .bind(failed_before)
            .push(")");
        // Nothing younger is looked at.
        sql.push(")) AND id < ").bind(first_id(successful_before.max(failed_before)));
        sql.push(" ORDER BY id LIMIT ").bind(PURGED_AT_ONCE).push(")");
        sql
    };
    for table in ["communication_filter", "communication_entries"] {
        removed_from(table).execute(connection).await?;
    }
    let rows = removed_from("communication").push(" RETURNING id").all(connection).await?;
    let ids = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<&str>, _>>()?;
    let summing_to = sums::progress(connection).await?.summing_to;
    sums::mark(connection, ids.iter().copied(), summing_to).await?;
    Ok(ids.len() as u64)
}

/// A row of empty fetches is as old as the last of them.
const AND_LAST: &str = " AND (last_at IS NULL OR last_at < ";

/// Removes entries, and what filters had to do, of communications that are gone and started before this time: programs
/// of before that removed them knew nothing of these. Gives their number; if that is [`PURGED_AT_ONCE`] or above, there
/// may be more.
pub async fn purge_left(connection: &mut AnyConnection, before: i64) -> Result<u64, StoreError> {
    let mut removed = 0;
    for table in ["communication_filter", "communication_entries"] {
        let mut sql = Sql::new(format!("DELETE FROM {table} WHERE id IN (SELECT id FROM {table} AS kept WHERE id < "));
        sql.bind(first_id(before));
        sql.push(" AND NOT EXISTS (SELECT 1 FROM communication WHERE communication.id = kept.id)");
        sql.push(" ORDER BY id LIMIT ").bind(PURGED_AT_ONCE).push(")");
        removed += sql.execute(connection).await?;
    }
    Ok(removed)
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
    use crate::store::{Location, Store, WriteWork};

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
    async fn what_a_program_of_before_left_of_communications_that_it_removed_goes_too() {
        let (_folder, store) = store().await;
        let mut records = Vec::new();
        for number in 0..4 {
            let mut message = Communication::start(CommunicationKind::Message, "main", "imap").finish(false);
            message.id = format!("00000000-000{number}-7000-8000-000000000000");
            message.filters = vec!["a".to_owned()];
            records.push(message);
        }
        keep_all(&store, records).await;
        store.execute("DELETE FROM communication WHERE id < '00000000-0001-8' OR id > '00000000-0003'").await;
        let left: WriteWork<i64, u64> = |before, connection| Box::pin(purge_left(connection, *before));
        assert_eq!(store.write(3, left).await.unwrap(), 4, "entries and filters of two; the last one is too young");
        assert_eq!(store.write(3, left).await.unwrap(), 0);
        for table in ["communication_entries", "communication_filter"] {
            let mut sql = Sql::new(format!("SELECT id FROM {table} ORDER BY id"));
            let rows = sql.all(&mut store.read().await.unwrap()).await.unwrap();
            let kept: Vec<String> = rows.iter().map(|row| row.get::<String, _>(0)[..13].to_owned()).collect();
            assert_eq!(kept, ["00000000-0002", "00000000-0003"], "{table}");
        }
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
