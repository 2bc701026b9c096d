//! Rows from before they were packed: they are packed in steps, each a write of its own, so that mail goes on
//! meanwhile and a process that ends at any instant loses nothing. Both forms are read for good. Hosts of before may go
//! on writing communications and results as they do, so that these are looked for again and again.

use super::packing::{LARGEST_MAIL, pack_article, pack_mail, pack_result};
use super::sql::{Sql, Value, pieces};
use super::{Engine, Store, StoreError, communications, readers};
use super::{spool, tickets};
use sqlx::{Any, AnyConnection, Decode, Row, Type};

/// So many rows are looked at in one step at most: other writes wait for it.
const AT_ONCE: i64 = 200;
/// So many bytes of them, or one row: they are in memory, as they were and packed.
const BYTES_AT_ONCE: i64 = 4 << 20;

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

/// Where rows to be packed are found.
struct OldPlace {
    table: &'static str,
    id: &'static str,
    /// Which rows of the table, and the index that has them; a step goes through all of the others' table.
    only: Option<(&'static str, &'static str)>,
    /// The bytes that are packed.
    length: &'static str,
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

    /// Whether earlier versions would take the packed rows for what people wrote. Such rows are packed once none works
    /// any more; earlier versions go on writing the others meanwhile.
    fn misleads_earlier_versions(self) -> bool {
        matches!(self, Self::Articles | Self::Mails)
    }

    /// What stands in `packing` before the first row.
    fn start(self) -> &'static str {
        if self == Self::Communications { "" } else { "0" }
    }

    fn place(self) -> OldPlace {
        match self {
            Self::Communications => OldPlace {
                table: "communication",
                id: "id",
                only: Some(("entries <> '[]' AND status <> 'processing'", "communication_written")),
                length: "octet_length(entries)",
            },
            Self::Results => OldPlace {
                table: "spool",
                id: "id",
                only: Some(("result IS NOT NULL", "spool_written")),
                length: "octet_length(result)",
            },
            Self::Articles => OldPlace { table: "article", id: "id", only: None, length: "octet_length(detail)" },
            Self::Mails => OldPlace {
                table: "spool_raw",
                id: "spool_id",
                only: None,
                length: "CASE WHEN packed = 0 THEN octet_length(raw) ELSE 0 END",
            },
        }
    }

    /// Adds where these rows are, up to a condition on their ids.
    fn push_place(self, sql: &mut Sql, engine: Engine) {
        let place = self.place();
        sql.push(" FROM ").push(place.table);
        if let Some((condition, index)) = place.only {
            if engine == Engine::Sqlite {
                // For rows in their order it would read the whole table.
                sql.push(" INDEXED BY ").push(index);
            }
            sql.push(" WHERE ").push(condition);
        } else {
            sql.push(" WHERE 1 = 1");
        }
    }
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackingStep {
    /// So many rows were packed, and there may be more.
    Packed(u64),
    /// None is left that can be packed.
    Done,
    /// A host of an earlier version works on the database, and could not read them.
    Waits,
}

/// Packs the next rows.
pub async fn step(store: &Store, what: OldRows) -> Result<PackingStep, StoreError> {
    let mut connection = store.read().await?;
    let is_done = is_done(&mut connection, what).await?;
    drop(connection);
    if is_done {
        return Ok(PackingStep::Done);
    }
    store.write(what, |what, connection| Box::pin(carry_out(connection, *what))).await
}

/// Whether there is nothing to do, found without a write.
async fn is_done(connection: &mut AnyConnection, what: OldRows) -> Result<bool, StoreError> {
    let Some(done_to) = place(connection, what, false).await? else { return Ok(true) };
    if what.misleads_earlier_versions() || done_to != what.start() {
        return Ok(false);
    }
    let mut sql = Sql::new("SELECT 1");
    what.push_place(&mut sql, Engine::of(connection));
    Ok(sql.push(" LIMIT 1").optional(connection).await?.is_none())
}

async fn carry_out(connection: &mut AnyConnection, what: OldRows) -> Result<PackingStep, StoreError> {
    if what.misleads_earlier_versions() && !readers::all_read_packed(connection).await? {
        return Ok(PackingStep::Waits);
    }
    let Some(done_to) = place(connection, what, true).await? else { return Ok(PackingStep::Done) };
    let (count, last) = if what == OldRows::Communications {
        let ids: Vec<String> = next(connection, what, done_to).await?;
        (communications::lay_apart(connection, &ids).await?, ids.last().cloned())
    } else {
        let ids: Vec<i64> = next(connection, what, done_to.parse::<i64>().unwrap_or_default()).await?;
        let count = match what {
            OldRows::Results => results(connection, &ids).await?,
            OldRows::Articles => articles(connection, &ids).await?,
            OldRows::Mails | OldRows::Communications => mails(connection, &ids).await?,
        };
        (count, ids.last().map(i64::to_string))
    };
    let is_done = last.is_none();
    if is_done && what.misleads_earlier_versions() {
        let mut sql = Sql::new("DELETE FROM packing WHERE what = ");
        sql.bind(what.name()).execute(connection).await?;
    } else {
        // After the end it begins anew, for what a program of before writes from now on.
        let mut sql = Sql::new("UPDATE packing SET done_to = ");
        sql.bind(last.unwrap_or_else(|| what.start().to_owned())).push(" WHERE what = ").bind(what.name());
        sql.execute(connection).await?;
    }
    Ok(if is_done { PackingStep::Done } else { PackingStep::Packed(count) })
}

/// How far it has come; `to_go_on`: no other host goes on with it until the commit.
async fn place(connection: &mut AnyConnection, what: OldRows, to_go_on: bool) -> Result<Option<String>, StoreError> {
    let mut sql = Sql::new("SELECT done_to FROM packing WHERE what = ");
    sql.bind(what.name()).push(if to_go_on { locked(connection) } else { "" });
    Ok(sql.optional(connection).await?.map(|row| row.try_get(0)).transpose()?)
}

/// On SQLite nobody else writes meanwhile.
fn locked(connection: &AnyConnection) -> &'static str {
    if Engine::of(connection) == Engine::Postgres { " FOR UPDATE" } else { "" }
}

/// The ids of the rows that a step packs, at least one if there is any.
async fn next<I>(connection: &mut AnyConnection, what: OldRows, after: impl Into<Value>) -> Result<Vec<I>, StoreError>
where
    I: for<'r> Decode<'r, Any> + Type<Any>,
{
    let OldPlace { id, length, .. } = what.place();
    let mut sql = Sql::new(format!("SELECT {id}, CAST({length} AS BIGINT)"));
    what.push_place(&mut sql, Engine::of(connection));
    sql.push(" AND ").push(id).push(" > ").bind(after).push(" ORDER BY ").push(id).push(" LIMIT ").bind(AT_ONCE);
    let (mut ids, mut bytes) = (Vec::new(), 0);
    for row in sql.all(connection).await? {
        bytes += row.try_get::<i64, _>(1)?;
        if bytes > BYTES_AT_ONCE && !ids.is_empty() {
            break;
        }
        ids.push(row.try_get(0)?);
    }
    Ok(ids)
}

async fn results(connection: &mut AnyConnection, ids: &[i64]) -> Result<u64, StoreError> {
    let mut packed: Vec<(i64, Vec<u8>)> = Vec::new();
    for piece in pieces(ids) {
        let mut sql = Sql::new("SELECT id, result FROM spool WHERE result IS NOT NULL AND id IN ");
        sql.list(piece.iter().copied()).push(locked(connection));
        for row in sql.all(connection).await? {
            if let Ok(result) = spool::read_written(row.try_get(1)?) {
                packed.push((row.try_get(0)?, pack_result(&result, None)?));
            }
        }
    }
    // A program of before that ended the message left what this version had noted of an earlier end.
    let set = "UPDATE spool SET result = NULL, plan = NULL, in_short = 0, packed = repacked.column2";
    write(connection, &packed, set, "spool.id").await
}

async fn articles(connection: &mut AnyConnection, ids: &[i64]) -> Result<u64, StoreError> {
    let mut packed: Vec<(i64, Vec<u8>)> = Vec::new();
    for piece in pieces(ids) {
        let mut sql = Sql::new("SELECT id, detail FROM article WHERE id IN ");
        sql.list(piece.iter().copied()).push(locked(connection));
        for row in sql.all(connection).await? {
            // What cannot be read stays as it is, and is told of when it is shown; what is packed already is no JSON.
            if let Ok(article) = tickets::read_written(row.try_get(1)?)
                && let Some(article) = pack_article(&article)?
            {
                packed.push((row.try_get(0)?, article));
            }
        }
    }
    let set = "UPDATE article SET detail = '', packed = repacked.column2";
    write(connection, &packed, set, "article.id").await
}

async fn mails(connection: &mut AnyConnection, ids: &[i64]) -> Result<u64, StoreError> {
    let mut packed: Vec<(i64, Vec<u8>)> = Vec::new();
    for piece in pieces(ids) {
        let mut sql = Sql::new("SELECT spool_id, raw FROM spool_raw WHERE packed = 0 AND octet_length(raw) <= ");
        sql.bind(LARGEST_MAIL as i64).push(" AND spool_id IN ").list(piece.iter().copied()).push(locked(connection));
        for row in sql.all(connection).await? {
            if let Some(mail) = pack_mail(row.try_get(1)?)? {
                packed.push((row.try_get(0)?, mail));
            }
        }
    }
    let set = "UPDATE spool_raw SET raw = repacked.column2, packed = 1";
    write(connection, &packed, set, "spool_raw.spool_id").await
}

/// Writes packed rows; gives their number.
async fn write(
    connection: &mut AnyConnection,
    packed: &[(i64, Vec<u8>)],
    set: &str,
    id: &str,
) -> Result<u64, StoreError> {
    for piece in pieces(packed) {
        let mut sql = Sql::new(format!("{set} FROM (VALUES "));
        sql.tuples(piece.iter().map(|(id, packed)| -> [Value; 2] { [(*id).into(), packed.clone().into()] }));
        sql.push(") AS repacked WHERE repacked.column1 = ").push(id).execute(connection).await?;
    }
    Ok(packed.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::communications::LogFilter;
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
            while matches!(step(store, what).await.unwrap(), PackingStep::Packed(_)) {}
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
            // One that cannot be read is among them, or one that is too large.
            let packed = match step(&store, what).await.unwrap() {
                PackingStep::Packed(packed) => i64::try_from(packed).unwrap(),
                other => panic!("{what:?}: {other:?}"),
            };
            assert!((AT_ONCE - 1..=AT_ONCE).contains(&packed), "{what:?}: {packed}");
            assert_eq!(shown(&store).await, before);
        }
        pack_all(&store).await;
        for what in [OldRows::Results, OldRows::Articles, OldRows::Mails] {
            assert_eq!(step(&store, what).await.unwrap(), PackingStep::Done);
        }
        let again = step(&store, OldRows::Communications).await.unwrap();
        assert_eq!(again, PackingStep::Packed(0), "what cannot be read is looked at each time");
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
        assert_eq!(counts, [1, rows, 0, rows, 1, 1, 2], "what cannot be read stays, and what is too large");
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
    async fn what_an_earlier_program_writes_over_packed_rows_is_shown_behind_what_they_have_and_packed_with_it() {
        let (_folder, store, _) = fresh().await;
        old_database(&store, 1).await;
        pack_all(&store).await;
        let id = "01990000-0000-7000-8000-000000000000";
        store.execute(format!("UPDATE communication SET entries = '[{{\"at\":9,\"priority\":\"info\",\"key\":\"k\",\"value\":\"Later.\"}}]' WHERE id = '{id}'")).await;
        store.execute("UPDATE spool SET in_short = 1 WHERE id = 1").await;
        let result = async || {
            let message = spool::show(&mut store.read().await.unwrap(), 1).await.unwrap().unwrap();
            message.result.map(|result| result.source)
        };
        // As it releases and ends a message.
        store.execute("UPDATE spool SET status = 'waiting', result = NULL WHERE id = 1").await;
        assert_eq!(result().await, None, "it waits, and nothing became of it yet");
        let later = "{\"source\":\"later\",\"status\":\"filed\",\"filters\":[],\"warnings\":[]}";
        store.execute(format!("UPDATE spool SET status = 'filed', result = '{later}' WHERE id = 1")).await;
        for _ in 0..2 {
            assert_eq!(result().await.as_deref(), Some("later"));
            let shown = communications::show(&mut store.read().await.unwrap(), id, Priority::Debug).await;
            let entries = shown.unwrap().unwrap().communication.entries;
            let told: Vec<&str> = entries.iter().map(|entry| entry.value.as_str()).collect();
            assert_eq!(told, ["Not matched, 0 µs (0 µs its own).", "New ticket.", "Later."]);
            pack_all(&store).await;
        }
        let left = "SELECT COUNT(*) FROM spool WHERE result IS NOT NULL OR in_short = 1 \
                    UNION ALL SELECT COUNT(*) FROM communication WHERE entries NOT IN ('[]', 'odd')";
        for row in Sql::new(left).all(&mut store.read().await.unwrap()).await.unwrap() {
            assert_eq!(row.get::<i64, _>(0), 0);
        }
    }

    #[tokio::test]
    async fn what_is_under_way_is_not_packed_and_a_step_has_few_bytes_at_once() {
        let (_folder, store, _) = fresh().await;
        old_database(&store, 4).await;
        store.execute("UPDATE communication SET status = 'processing' WHERE id <> '0197'").await;
        assert_eq!(step(&store, OldRows::Communications).await.unwrap(), PackingStep::Packed(0));
        let long = serde_json::to_string(&NewArticle { body: "x".repeat(3 << 20), ..NewArticle::default() }).unwrap();
        store.execute(format!("UPDATE article SET detail = '{long}' WHERE id IN (1, 2, 3)")).await;
        for _ in 0..3 {
            // The third one has the short ones behind it in its step.
            assert!(matches!(step(&store, OldRows::Articles).await.unwrap(), PackingStep::Packed(1..=2)));
        }
        assert_eq!(step(&store, OldRows::Articles).await.unwrap(), PackingStep::Done);
    }
}
