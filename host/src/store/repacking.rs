//! Rows from before they were packed: they are packed in steps, each a write of its own, so that mail goes on
//! meanwhile and a process that ends at any instant loses nothing. Both forms are read for good.

use super::communications::read_written;
use super::packing::{LARGEST_MAIL, pack_article, pack_entries, pack_mail, pack_result};
use super::sql::{Sql, Value, pieces};
use super::{Engine, Store, StoreError, readers};
use super::{spool, tickets};
use postigo_model::communication::CommunicationRecord;
use sqlx::{AnyConnection, Row};

/// So many rows are looked at in one step: other writes wait for it.
const AT_ONCE: i64 = 200;
/// Of mails, which may be long.
const MAILS_AT_ONCE: i64 = 50;

/// Which rows are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldRows {
    /// The entries of communications.
    Communications,
    /// What became of messages.
    Results,
    /// Articles.
    Articles,
    /// The bytes of mails as they came in.
    Mails,
}

impl OldRows {
    /// All of them, in the order in which they are packed.
    pub const ALL: [Self; 4] = [Self::Communications, Self::Results, Self::Articles, Self::Mails];

    /// What they are called, in the table and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Communications => "communications",
            Self::Results => "results",
            Self::Articles => "articles",
            Self::Mails => "mails",
        }
    }

    /// Whether earlier versions would take the packed rows for what people wrote.
    fn misleads_earlier_versions(self) -> bool {
        matches!(self, Self::Articles | Self::Mails)
    }
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackingStep {
    /// So many rows were looked at.
    LookedAt(u64),
    /// All are packed.
    Done,
    /// A host of an earlier version works on the database, and could not read them.
    Waits,
}

/// Packs the next rows.
pub async fn step(store: &Store, what: OldRows) -> Result<PackingStep, StoreError> {
    let mut connection = store.read().await?;
    let is_done = place(&mut connection, what, false).await?.is_none();
    drop(connection);
    if is_done {
        return Ok(PackingStep::Done);
    }
    store.write(what, |what, connection| Box::pin(carry_out(connection, *what))).await
}

async fn carry_out(connection: &mut AnyConnection, what: OldRows) -> Result<PackingStep, StoreError> {
    if what.misleads_earlier_versions() && !readers::all_read_packed(connection).await? {
        return Ok(PackingStep::Waits);
    }
    let Some(done_to) = place(connection, what, true).await? else { return Ok(PackingStep::Done) };
    let (count, last) = match what {
        OldRows::Communications => communications(connection, &done_to).await?,
        OldRows::Results => results(connection, &done_to).await?,
        OldRows::Articles => articles(connection, &done_to).await?,
        OldRows::Mails => mails(connection, &done_to).await?,
    };
    let Some(last) = last else {
        let mut sql = Sql::new("DELETE FROM packing WHERE what = ");
        sql.bind(what.name()).execute(connection).await?;
        return Ok(PackingStep::Done);
    };
    let mut sql = Sql::new("UPDATE packing SET done_to = ");
    sql.bind(last).push(" WHERE what = ").bind(what.name()).execute(connection).await?;
    Ok(PackingStep::LookedAt(count))
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

async fn articles(connection: &mut AnyConnection, after: &str) -> Result<(u64, Option<String>), StoreError> {
    let after: i64 = after.parse().unwrap_or_default();
    let mut sql = Sql::new("SELECT id, detail FROM article WHERE id > ");
    sql.bind(after).push(" ORDER BY id LIMIT ").bind(AT_ONCE).push(locked(connection, true));
    let rows = sql.all(connection).await?;
    let (mut packed, mut last): (Vec<(i64, Vec<u8>)>, _) = (Vec::new(), None);
    for row in &rows {
        let (id, written): (i64, &str) = (row.try_get(0)?, row.try_get(1)?);
        // What cannot be read stays as it is, and is told of when it is shown; what is packed already is no JSON.
        if let Ok(article) = tickets::read_written(written)
            && let Some(article) = pack_article(&article)?
        {
            packed.push((id, article));
        }
        last = Some(id.to_string());
    }
    for piece in pieces(&packed) {
        let mut sql = Sql::new("UPDATE article SET detail = '', packed = repacked.column2 FROM (VALUES ");
        sql.tuples(piece.iter().map(|(id, packed)| -> [Value; 2] { [(*id).into(), packed.clone().into()] }));
        sql.push(") AS repacked WHERE article.id = repacked.column1").execute(connection).await?;
    }
    Ok((rows.len() as u64, last))
}

async fn mails(connection: &mut AnyConnection, after: &str) -> Result<(u64, Option<String>), StoreError> {
    let after: i64 = after.parse().unwrap_or_default();
    let mut sql = Sql::new(format!(
        "SELECT spool_id, CASE WHEN packed = 0 AND length(raw) <= {LARGEST_MAIL} THEN raw END FROM spool_raw WHERE spool_id > "
    ));
    sql.bind(after).push(" ORDER BY spool_id LIMIT ").bind(MAILS_AT_ONCE).push(locked(connection, true));
    let rows = sql.all(connection).await?;
    let (mut packed, mut last): (Vec<(i64, Vec<u8>)>, _) = (Vec::new(), None);
    for row in &rows {
        let (id, raw): (i64, Option<Vec<u8>>) = (row.try_get(0)?, row.try_get(1)?);
        if let Some(mail) = raw.as_deref().map(pack_mail).transpose()?.flatten() {
            packed.push((id, mail));
        }
        last = Some(id.to_string());
    }
    for piece in pieces(&packed) {
        let mut sql = Sql::new("UPDATE spool_raw SET raw = repacked.column2, packed = 1 FROM (VALUES ");
        sql.tuples(piece.iter().map(|(id, packed)| -> [Value; 2] { [(*id).into(), packed.clone().into()] }));
        sql.push(") AS repacked WHERE spool_raw.spool_id = repacked.column1").execute(connection).await?;
    }
    Ok((rows.len() as u64, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::communications::{self, LogFilter};
    use crate::store::fresh_store::fresh;
    use crate::store::packing::unpack_mail;
    use crate::store::spool::{MessageFilter, RawPlace};
    use postigo_model::communication::Priority;
    use postigo_model::spool::SpoolStatus;
    use postigo_model::ticket::NewArticle;
    use std::collections::BTreeMap;

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
            let detail = NewArticle {
                subject: format!("Number {number}"),
                body: "The pump.\n".repeat(9),
                ..NewArticle::default()
            };
            let (detail, id) = (serde_json::to_string(&detail).unwrap(), number + 1);
            store.execute(format!("INSERT INTO article (id, ticket_id, spool_id, created_at, sender_type, visible_for_customer, message_id, detail) VALUES ({id}, 7, {id}, 1, 'customer', 1, '', '{detail}')")).await;
            let raw = if number == 2 {
                format!("zeroblob({})", LARGEST_MAIL + 1)
            } else {
                format!("CAST('Subject: Number {number}' AS BLOB)")
            };
            store.execute(format!("INSERT INTO spool_raw (spool_id, raw) VALUES ({id}, {raw})")).await;
        }
        store.execute("INSERT INTO article (ticket_id, spool_id, created_at, sender_type, visible_for_customer, message_id, detail) VALUES (8, 0, 1, 'customer', 1, '', 'odd')").await;
        store.execute("INSERT INTO communication (id, account, transport, direction, kind, status, started_at, priority, search, entries) VALUES ('0198', 'main', 'imap', 'incoming', 'connection', 'processing', 1, 0, '', '[]')").await;
        store.execute("INSERT INTO communication (id, account, transport, direction, kind, status, started_at, priority, search, entries) VALUES ('0197', 'main', 'imap', 'incoming', 'connection', 'failed', 1, 4, '', 'odd')").await;
        store.execute("INSERT INTO spool (account, epoch, digest, source, received_at, recipients, size, status) VALUES ('main', '', x'00', 'test', 1, '[]', 0, 'waiting')").await;
    }

    /// Everything that lists and single rows show.
    async fn shown(store: &Store) -> String {
        let mut connection = store.read().await.unwrap();
        let mut told = Vec::new();
        for filter in [LogFilter::default(), LogFilter { priority: Some(Priority::Warning), ..LogFilter::default() }] {
            let filter = LogFilter { limit: 1_000, search: Some("JANE".into()), ..filter };
            let listed = communications::list(&mut connection, &filter).await.unwrap();
            told.push(format!("{listed:?}"));
            for record in listed {
                let shown = communications::show(&mut connection, &record.id, Priority::Debug).await.unwrap();
                told.push(format!("{shown:?}"));
            }
        }
        told.push(format!("{:?}", communications::overview(&mut connection, None, None).await.unwrap()));
        let filter = MessageFilter { limit: 1_000, ..MessageFilter::default() };
        for message in spool::list(&mut connection, &filter).await.unwrap() {
            let whole = spool::show(&mut connection, message.id).await.unwrap().unwrap();
            assert_eq!(whole, message);
            assert_eq!(message.result.is_some(), message.status == SpoolStatus::Held);
            told.push(format!("{message:?}"));
        }
        told.push(format!("{:?}", spool::latest(&mut connection, 1_000).await.unwrap()));
        let articles = tickets::articles(&mut connection, 7).await.unwrap();
        let ids: Vec<i64> = articles.iter().map(|article| article.id).collect();
        told.push(format!("{articles:?}"));
        for (id, place) in BTreeMap::from_iter(spool::raw_places(&mut connection, &ids).await.unwrap()) {
            let raw = match place {
                RawPlace::Row(raw) => raw,
                RawPlace::Packed(packed) => unpack_mail(&packed).unwrap(),
                other => panic!("{other:?}"),
            };
            told.push(format!("{id}: {} {:?}", raw.len(), String::from_utf8_lossy(&raw[..raw.len().min(200)])));
        }
        told.join("\n")
    }

    async fn pack_all(store: &Store) {
        for what in OldRows::ALL {
            while matches!(step(store, what).await.unwrap(), PackingStep::LookedAt(_)) {}
        }
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
        for what in OldRows::ALL {
            let at_once = if what == OldRows::Mails { MAILS_AT_ONCE } else { AT_ONCE };
            assert_eq!(step(&store, what).await.unwrap(), PackingStep::LookedAt(at_once as u64), "{what:?}");
            assert_eq!(shown(&store).await, before);
        }
        pack_all(&store).await;
        for what in OldRows::ALL {
            assert_eq!(step(&store, what).await.unwrap(), PackingStep::Done);
        }
        assert_eq!(shown(&store).await, before);
        let mut connection = store.read().await.unwrap();
        let mut counts = Vec::new();
        for sql in [
            "SELECT COUNT(*) FROM communication WHERE entries <> '[]'",
            "SELECT COUNT(*) FROM communication_entries",
            "SELECT COUNT(*) FROM spool WHERE result IS NOT NULL",
            "SELECT COUNT(*) FROM spool WHERE packed IS NOT NULL",
            "SELECT COUNT(*) FROM article WHERE detail <> ''",
            "SELECT COUNT(*) FROM spool_raw WHERE packed = 0",
            "SELECT COUNT(*) FROM packing",
        ] {
            counts.push(Sql::new(sql).one(&mut connection).await.unwrap().get::<i64, _>(0));
        }
        assert_eq!(counts, [1, rows, 0, rows, 1, 1, 0], "what cannot be read stays, and what is too large");
    }

    #[tokio::test]
    async fn articles_and_mails_wait_until_no_host_of_an_earlier_version_works_on_the_database() {
        let (_folder, store, _) = fresh().await;
        old_database(&store, 3).await;
        let before = shown(&store).await;
        store
            .execute(
                "INSERT INTO host (id, run, name, version, stamp, refused, seen) VALUES ('h', 'r', 'n', 1, 1, '', 1)",
            )
            .await;
        for what in [OldRows::Articles, OldRows::Mails] {
            assert_eq!(step(&store, what).await.unwrap(), PackingStep::Waits);
        }
        store.execute("DELETE FROM host").await;
        pack_all(&store).await;
        assert_eq!(shown(&store).await, before);
    }

    #[tokio::test]
    async fn what_an_earlier_program_wrote_over_a_packed_row_counts() {
        let (_folder, store, _) = fresh().await;
        old_database(&store, 1).await;
        pack_all(&store).await;
        let id = "01990000-0000-7000-8000-000000000000";
        store.execute(format!("UPDATE communication SET entries = '[{{\"at\":9,\"priority\":\"info\",\"key\":\"k\",\"value\":\"Later.\"}}]' WHERE id = '{id}'")).await;
        let shown = communications::show(&mut store.read().await.unwrap(), id, Priority::Debug).await.unwrap().unwrap();
        assert_eq!(shown.communication.entries[0].value, "Later.");
    }
}
