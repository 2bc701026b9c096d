//! Rows from before entries and results were packed: they are packed in steps, each a write of its own, so that mail goes on
//! meanwhile and a process that ends at any instant loses nothing. Both forms are read for good.

use super::communications::read_written;
use super::packing::{pack_entries, pack_result};
use super::spool;
use super::sql::{Sql, Value, pieces};
use super::{Engine, Store, StoreError};
use postigo_model::communication::CommunicationRecord;
use sqlx::{AnyConnection, Row};

/// So many rows are looked at in one step: other writes wait for it.
const AT_ONCE: i64 = 200;

/// Which rows are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldRows {
    /// The entries of communications.
    Communications,
    /// What became of messages.
    Results,
}

impl OldRows {
    /// All of them, in the order in which they are packed.
    pub const ALL: [Self; 2] = [Self::Communications, Self::Results];

    /// What they are called, in the table and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Communications => "communications",
            Self::Results => "results",
        }
    }
}

/// Packs the next rows; gives how many were looked at, none where all are done.
pub async fn step(store: &Store, what: OldRows) -> Result<Option<u64>, StoreError> {
    let mut connection = store.read().await?;
    let is_done = place(&mut connection, what, false).await?.is_none();
    drop(connection);
    if is_done {
        return Ok(None);
    }
    store.write(what, |what, connection| Box::pin(carry_out(connection, *what))).await
}

async fn carry_out(connection: &mut AnyConnection, what: OldRows) -> Result<Option<u64>, StoreError> {
    let Some(done_to) = place(connection, what, true).await? else { return Ok(None) };
    let (count, last) = match what {
        OldRows::Communications => communications(connection, &done_to).await?,
        OldRows::Results => results(connection, &done_to).await?,
    };
    let Some(last) = last else {
        let mut sql = Sql::new("DELETE FROM packing WHERE what = ");
        sql.bind(what.name()).execute(connection).await?;
        return Ok(None);
    };
    let mut sql = Sql::new("UPDATE packing SET done_to = ");
    sql.bind(last).push(" WHERE what = ").bind(what.name()).execute(connection).await?;
    Ok(Some(count))
}

/// How far it has come; `to_go_on`: no other host goes on with it until the commit.
async fn place(connection: &mut AnyConnection, what: OldRows, to_go_on: bool) -> Result<Option<String>, StoreError> {
    let mut sql = Sql::new("SELECT done_to FROM packing WHERE what = ");
    sql.bind(what.name()).push(locked(connection, to_go_on));
    Ok(sql.optional(connection).await?.map(|row| row.try_get(0)).transpose()?)
}

/// On SQLite nobody else writes meanwhile.
fn locked(connection: &AnyConnection, is_wanted: bool) -> &'static str {
    if is_wanted && Engine::of(connection) == Engine::Postgres { " FOR UPDATE" } else { "" }
}

async fn communications(connection: &mut AnyConnection, after: &str) -> Result<(u64, Option<String>), StoreError> {
    let mut sql = Sql::new("SELECT id, started_at, entries FROM communication WHERE id > ");
    sql.bind(after).push(" ORDER BY id LIMIT ").bind(AT_ONCE).push(locked(connection, true));
    let rows = sql.all(connection).await?;
    let (mut packed, mut last): (Vec<(String, Vec<u8>)>, _) = (Vec::new(), None);
    for row in &rows {
        let id: String = row.try_get(0)?;
        let written: &str = row.try_get(2)?;
        // What cannot be read stays as it is, and is told of when it is shown.
        if let Some(entries) = read_written(written).ok().filter(|entries| !entries.is_empty()) {
            let started_at = row.try_get(1)?;
            let record = CommunicationRecord { started_at, entries, ..CommunicationRecord::default() };
            packed.push((id.clone(), pack_entries(&record)?));
        }
        last = Some(id);
    }
    for piece in pieces(&packed) {
        let mut sql = Sql::new("INSERT INTO communication_entries (id, entries) VALUES ");
        sql.tuples(piece.iter().map(|(id, entries)| -> [Value; 2] { [id.into(), entries.clone().into()] }));
        // What stood in the old form was written later, by a program that knows no other.
        sql.push(" ON CONFLICT (id) DO UPDATE SET plan = NULL, entries = excluded.entries");
        sql.execute(connection).await?;
        let mut sql = Sql::new("UPDATE communication SET entries = '[]' WHERE id IN ");
        sql.list(piece.iter().map(|(id, _)| id)).execute(connection).await?;
    }
    Ok((rows.len() as u64, last))
}

async fn results(connection: &mut AnyConnection, after: &str) -> Result<(u64, Option<String>), StoreError> {
    let after: i64 = after.parse().unwrap_or_default();
    let mut sql = Sql::new("SELECT id, result FROM spool WHERE id > ");
    sql.bind(after).push(" ORDER BY id LIMIT ").bind(AT_ONCE).push(locked(connection, true));
    let rows = sql.all(connection).await?;
    let (mut packed, mut last): (Vec<(i64, Vec<u8>)>, _) = (Vec::new(), None);
    for row in &rows {
        let (id, written): (i64, Option<&str>) = (row.try_get(0)?, row.try_get(1)?);
        if let Some(result) = written.and_then(|written| spool::read_written(written).ok()) {
            packed.push((id, pack_result(&result, None)?));
        }
        last = Some(id.to_string());
    }
    for piece in pieces(&packed) {
        let mut sql = Sql::new("UPDATE spool SET result = NULL, packed = repacked.column2 FROM (VALUES ");
        sql.tuples(piece.iter().map(|(id, packed)| -> [Value; 2] { [(*id).into(), packed.clone().into()] }));
        sql.push(") AS repacked WHERE spool.id = repacked.column1").execute(connection).await?;
    }
    Ok((rows.len() as u64, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::communications::{self, LogFilter};
    use crate::store::fresh_store::fresh;
    use crate::store::spool::MessageFilter;
    use postigo_model::communication::Priority;
    use postigo_model::spool::SpoolStatus;
    use std::fmt::Write as _;

    /// As versions before this step wrote them.
    async fn old_database(store: &Store, rows: i64) {
        for number in 0..rows {
            let id = format!("0199{number:04}-0000-7000-8000-000000000000");
            let (status, article) = if number % 3 == 0 { ("failed", "NULL") } else { ("successful", "7") };
            store
                .execute(format!(
                    "INSERT INTO communication (id, parent, account, transport, direction, kind, status, started_at, ended_at, priority, spool_id, article_id, search, entries) \
                     VALUES ('{id}', NULL, 'main', 'imap', 'incoming', 'message', '{status}', {}, {}, {}, {number}, {article}, 'jane@x.test', \
                     '[{{\"at\":{},\"priority\":\"debug\",\"key\":\"filter:a\",\"value\":\"Not matched, 0 µs (0 µs its own).\"}},{{\"at\":5,\"priority\":\"info\",\"key\":\"ticket\",\"value\":\"New ticket.\"}}]')",
                    1_000 + number, 2_000 + number, number % 5, 1_500 + number
                ))
                .await;
            let result = format!(
                "{{\"source\":\"m#{number}\",\"message_id\":null,\"status\":\"held\",\"follow_up\":false,\"visible_for_customer\":false,\"dynamic_fields\":{{}},\"headers\":{{}},\
                 \"filters\":[{{\"name\":\"a\",\"outcome\":\"not-matched\",\"stopped\":false,\"changes\":[],\"micros\":{number},\"error\":null}}],\"warnings\":[\"w\"],\"error\":\"why\"}}"
            );
            store
                .execute(format!(
                    "INSERT INTO spool (account, epoch, digest, source, received_at, recipients, size, status, result) \
                     VALUES ('main', '', x'00', 'test', {number}, '[]', 0, 'held', '{result}')"
                ))
                .await;
        }
        store.execute("INSERT INTO communication (id, account, transport, direction, kind, status, started_at, priority, search, entries) VALUES ('0198', 'main', 'imap', 'incoming', 'connection', 'processing', 1, 0, '', '[]')").await;
        store.execute("INSERT INTO communication (id, account, transport, direction, kind, status, started_at, priority, search, entries) VALUES ('0197', 'main', 'imap', 'incoming', 'connection', 'failed', 1, 4, '', 'odd')").await;
        store.execute("INSERT INTO spool (account, epoch, digest, source, received_at, recipients, size, status) VALUES ('main', '', x'00', 'test', 1, '[]', 0, 'waiting')").await;
    }

    /// Everything that lists and single rows show.
    async fn shown(store: &Store) -> String {
        let mut connection = store.read().await.unwrap();
        let mut text = String::new();
        for filter in [LogFilter::default(), LogFilter { priority: Some(Priority::Warning), ..LogFilter::default() }] {
            let filter = LogFilter { limit: 1_000, search: Some("JANE".into()), ..filter };
            let listed = communications::list(&mut connection, &filter).await.unwrap();
            writeln!(text, "{listed:?}").unwrap();
            for record in listed {
                let shown = communications::show(&mut connection, &record.id, Priority::Debug).await.unwrap();
                writeln!(text, "{shown:?}").unwrap();
            }
        }
        writeln!(text, "{:?}", communications::overview(&mut connection, None, None).await.unwrap()).unwrap();
        let filter = MessageFilter { limit: 1_000, ..MessageFilter::default() };
        for message in spool::list(&mut connection, &filter).await.unwrap() {
            let whole = spool::show(&mut connection, message.id).await.unwrap().unwrap();
            assert_eq!(whole, message);
            assert_eq!(message.result.is_some(), message.status == SpoolStatus::Held);
            writeln!(text, "{message:?}").unwrap();
        }
        writeln!(text, "{:?}", spool::latest(&mut connection, 1_000).await.unwrap()).unwrap();
        text
    }

    #[tokio::test]
    async fn lists_and_rows_are_the_same_before_while_and_after_they_are_packed_and_a_kill_loses_nothing() {
        let (_folder, store, _) = fresh().await;
        let rows = AT_ONCE + 30;
        old_database(&store, rows).await;
        let before = shown(&store).await;
        assert!(
            before.matches("Not matched, 0 µs (0 µs its own).").count() >= 200 && before.contains("micros: Some(17)")
        );
        // Each step is durable with how far it came: a process that ends between two of them changes nothing.
        assert_eq!(step(&store, OldRows::Communications).await.unwrap(), Some(AT_ONCE as u64));
        assert_eq!(shown(&store).await, before);
        assert_eq!(step(&store, OldRows::Results).await.unwrap(), Some(AT_ONCE as u64));
        assert_eq!(shown(&store).await, before);
        for what in OldRows::ALL {
            while step(&store, what).await.unwrap().is_some() {}
            assert_eq!(step(&store, what).await.unwrap(), None);
        }
        assert_eq!(shown(&store).await, before);
        let mut connection = store.read().await.unwrap();
        let mut counts = Vec::new();
        for sql in [
            "SELECT COUNT(*) FROM communication WHERE entries <> '[]'",
            "SELECT COUNT(*) FROM communication_entries",
            "SELECT COUNT(*) FROM spool WHERE result IS NOT NULL",
            "SELECT COUNT(*) FROM spool WHERE packed IS NOT NULL",
            "SELECT COUNT(*) FROM packing",
        ] {
            counts.push(Sql::new(sql).one(&mut connection).await.unwrap().get::<i64, _>(0));
        }
        assert_eq!(counts, [1, rows, 0, rows, 0], "what cannot be read stays");
    }

    #[tokio::test]
    async fn what_an_earlier_program_wrote_over_a_packed_row_counts() {
        let (_folder, store, _) = fresh().await;
        old_database(&store, 1).await;
        while step(&store, OldRows::Communications).await.unwrap().is_some() {}
        let id = "01990000-0000-7000-8000-000000000000";
        store.execute(format!("UPDATE communication SET entries = '[{{\"at\":9,\"priority\":\"info\",\"key\":\"k\",\"value\":\"Later.\"}}]' WHERE id = '{id}'")).await;
        let shown = communications::show(&mut store.read().await.unwrap(), id, Priority::Debug).await.unwrap().unwrap();
        assert_eq!(shown.communication.entries[0].value, "Later.");
    }
}
