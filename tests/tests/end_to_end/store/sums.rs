//! The overview is what a count over all rows gives, whatever was summed up before and whatever changes meanwhile.

use super::database::{Database, Databases};
use postigo::commlog::Communication;
use postigo::store::Store;
use postigo::store::communications::{self, LogFilter, Overview, Summing};
use postigo::store::sql::Sql;
use postigo_model::communication::{CommunicationKind, CommunicationRecord, CommunicationStatus, Direction};
use postigo_model::timestamp::now;
use postigo_tests::draw::Draw;
use sqlx::Row as _;
use std::collections::BTreeMap;

pub const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// An id of that time.
pub fn id_of(at: i64, id: &str) -> String {
    let digits = format!("{at:012x}");
    format!("{}-{}-{}", &digits[..8], &digits[8..], &id[14..])
}

/// A communication of that time, which runs.
pub fn drawn(draw: &mut Draw, at: i64) -> CommunicationRecord {
    let kind = [CommunicationKind::Connection, CommunicationKind::Message][draw.below(2) as usize];
    let (account, transport) = [("main", "imap"), ("other", "lmtp"), ("out", "smtp")][draw.below(3) as usize];
    let communication = Communication::start(kind, account, transport);
    let communication = if account == "out" { communication.outgoing() } else { communication };
    let mut record = communication.so_far();
    record.id = id_of(at, &record.id);
    record.started_at = at;
    record
}

pub fn ended(draw: &mut Draw, record: &CommunicationRecord) -> CommunicationRecord {
    use CommunicationStatus::{Failed, Successful, Warning};
    let status = [Successful, Successful, Warning, Failed][draw.below(4) as usize];
    let ended_at = Some(record.started_at + draw.below(5_000) as i64);
    CommunicationRecord { status, ended_at, ..record.clone() }
}

pub async fn save_all(store: &Store, records: Vec<CommunicationRecord>) {
    store.write(records, |records, connection| Box::pin(communications::save_all(connection, records))).await.unwrap();
}

pub async fn save_empty(store: &Store, record: CommunicationRecord) {
    let saved =
        store.write(record, |record, connection| Box::pin(communications::save_empty(connection, record))).await;
    saved.unwrap();
}

/// What the overview has to be, counted row by row: communications and failed ones by direction and account, how many
/// have which status, mean time.
type Counted = (BTreeMap<(String, String), (i64, i64)>, BTreeMap<String, i64>, Option<f64>);

async fn count(store: &Store, since: i64, until: i64) -> Counted {
    let sql = "SELECT id, account, transport, direction, kind, status, started_at, ended_at, fetches, took, last_at FROM communication";
    let rows = Sql::new(sql).all(&mut store.read().await.unwrap()).await.unwrap();
    let (mut accounts, mut statuses, mut timed, mut took) = (BTreeMap::new(), BTreeMap::new(), 0, 0);
    for row in rows {
        let text = |place: usize| row.get::<String, _>(place);
        let number = |place: usize| row.get::<Option<i64>, _>(place);
        let id: String = text(0).replace('-', "");
        let (at, started_at, last_at) = (i64::from_str_radix(&id[..12], 16).unwrap(), row.get::<i64, _>(6), number(10));
        let fetches: i64 = row.get(8);
        let count = match last_at {
            Some(last_at) => fetched(started_at, last_at, fetches, since, until).len() as i64,
            None => i64::from(since <= at && at < until),
        };
        if count == 0 {
            continue;
        }
        let (status, outgoing) = (text(5), text(3) == "outgoing");
        let known: &mut (i64, i64) = accounts.entry((text(3), text(1))).or_default();
        known.0 += count;
        known.1 += if status == "failed" { count } else { 0 };
        let waits = text(4) == "connection" && (outgoing || ["lmtp", "smtp"].contains(&text(2).as_str()));
        if status != "processing" && !waits {
            timed += count;
            took += number(9).or(number(7).map(|ended_at| ended_at - started_at)).unwrap_or_default() * count / fetches;
        }
        *statuses.entry(status).or_default() += count;
    }
    (accounts, statuses, (timed > 0).then(|| took as f64 / timed as f64))
}

/// When the empty fetches of a row began that lie in a span of time, as if they had come at even intervals; where the clock
/// went back, all at the time of the last.
fn fetched(started_at: i64, last_at: i64, fetches: i64, since: i64, until: i64) -> Vec<i64> {
    if started_at >= until {
        return Vec::new();
    }
    let (took, intervals) = ((last_at - started_at).max(0), (fetches - 1).max(1));
    let is_from = |back: i64, at: i64| back * took <= (last_at - at) * intervals;
    let times = (0..fetches).rev().filter(|&back| is_from(back, since) && !is_from(back, until));
    times.map(|back| last_at - back * took / intervals).collect()
}

async fn overview(store: &Store, since: Option<i64>, until: Option<i64>) -> Overview {
    communications::overview(&mut store.read().await.unwrap(), since, until).await.unwrap()
}

/// Holds the overview of a span of time against the rows.
async fn compare(store: &Store, since: Option<i64>, until: Option<i64>) {
    let overview = overview(store, since, until).await;
    let (accounts, statuses, mean) = count(store, since.unwrap_or_default(), until.unwrap_or(i64::MAX / 4_096)).await;
    let told = [("incoming", &overview.accounts), ("outgoing", &overview.transports)];
    let told = told.into_iter().flat_map(|(direction, all)| {
        all.iter()
            .map(move |(name, status)| ((direction.to_owned(), name.clone()), (status.communications, status.failed)))
    });
    assert_eq!(told.collect::<BTreeMap<_, _>>(), accounts, "{since:?} {until:?}");
    assert_eq!(overview.active, statuses.get("processing").copied().unwrap_or_default());
    assert_eq!((&overview.statuses, overview.mean_milliseconds), (&statuses, mean), "{since:?} {until:?}");
    // The last of each is the last row that ended.
    for (name, told) in &overview.accounts {
        let filter = LogFilter {
            since,
            until,
            account: Some(name.clone()),
            direction: Some(Direction::Incoming),
            kind: Some(CommunicationKind::Connection),
            limit: 1_000_000,
            ..LogFilter::default()
        };
        let rows = communications::list(&mut store.read().await.unwrap(), &filter).await.unwrap();
        let ended = rows.iter().filter(|row| row.status != CommunicationStatus::Processing);
        let at = |row: &CommunicationRecord| match row.empty_fetches {
            None => Some(row.started_at),
            Some(empty) => {
                let span = (since.unwrap_or_default(), until.unwrap_or(i64::MAX / 4_096));
                fetched(row.started_at, empty.last_at, empty.count, span.0, span.1).pop()
            }
        };
        let ended = ended.filter_map(|row| Some((at(row)?, &row.id, row)));
        let last = ended.max_by_key(|(at, id, _)| (*at, *id)).map(|(_, _, row)| row);
        if let Some(last) = last {
            assert_eq!(told.status, last.status, "{name} {since:?} {until:?}");
        }
    }
}

/// A time of the last days, often where an hour or a day begins.
fn time(draw: &mut Draw, begun: i64) -> i64 {
    let at = begun - draw.below(3 * DAY as u64) as i64;
    match draw.below(4) {
        0 => at.div_euclid(HOUR) * HOUR,
        1 => at.div_euclid(DAY) * DAY,
        _ => at,
    }
}

async fn all_steps(store: &Store, summing: &mut Summing) {
    while summing.step(store).await.unwrap() {}
}

async fn sums(database: &Database) -> i64 {
    let sql = "SELECT CAST(COALESCE(SUM(communications), 0) AS BIGINT) FROM communication_sum WHERE span = 3600000";
    Sql::new(sql).one(&mut database.store().read().await.unwrap()).await.unwrap().get(0)
}

#[tokio::test]
async fn the_overview_of_any_span_is_what_its_rows_amount_to_while_they_are_saved_purged_and_summed_up() {
    for database in Databases::start().each().await {
        let (store, begun) = (database.store(), now());
        let mut draw = Draw(20);
        let (mut running, mut hosts) = (Vec::new(), [Summing::default(), Summing::default()]);
        for round in 0..150 {
            let at = time(&mut draw, begun);
            match draw.below(12) {
                0..=3 => {
                    let records: Vec<_> = (0..=draw.below(20)).map(|_| time(&mut draw, begun)).collect();
                    let records: Vec<_> = records.into_iter().map(|at| drawn(&mut draw, at)).collect();
                    let records = records.iter().map(|record| ended(&mut draw, record)).collect();
                    save_all(store, records).await;
                }
                4 | 5 => {
                    let record = drawn(&mut draw, at);
                    save_all(store, vec![record.clone()]).await;
                    running.push(record);
                }
                6 | 7 => {
                    if let Some(record) = running.pop() {
                        save_all(store, vec![ended(&mut draw, &record)]).await;
                    }
                }
                8 => {
                    let record = Communication::start(CommunicationKind::Connection, "main", "imap").finish(false);
                    let record = CommunicationRecord { id: id_of(at, &record.id), started_at: at, ..record };
                    let record = CommunicationRecord { ended_at: Some(at + 30), ..record };
                    if draw.below(2) == 0 {
                        let runs = CommunicationStatus::Processing;
                        let so_far = CommunicationRecord { ended_at: None, status: runs, ..record.clone() };
                        save_all(store, vec![so_far]).await;
                    }
                    if draw.below(2) == 0 {
                        all_steps(store, &mut hosts[0]).await;
                    }
                    save_empty(store, record).await;
                }
                9 if round % 5 == 0 => {
                    let before = (begun - 3 * DAY + draw.below(DAY as u64) as i64, begun - 3 * DAY);
                    let purge = store.write(before, |(successful, failed), connection| {
                        Box::pin(communications::purge(connection, *successful, *failed))
                    });
                    purge.await.unwrap();
                }
                host @ (9 | 10) => _ = hosts[host as usize - 9].step(store).await.unwrap(),
                _ => all_steps(store, &mut hosts[1]).await,
            }
            let (since, until) = (time(&mut draw, begun), time(&mut draw, begun));
            compare(store, Some(since.min(until)), Some(since.max(until))).await;
            if round % 10 == 0 {
                compare(store, None, None).await;
                compare(store, Some(since), None).await;
            }
        }
        all_steps(store, &mut hosts[0]).await;
        compare(store, None, None).await;
        let changes = Sql::new("SELECT COUNT(*) FROM communication_change");
        let left: i64 = { changes }.one(&mut store.read().await.unwrap()).await.unwrap().get(0);
        assert!(left == 0 && sums(&database).await > 200, "all was summed up");
    }
}

#[tokio::test]
async fn sums_hold_whoever_writes_while_two_hosts_sum_up() {
    for database in Databases::start().each().await {
        let (store, begun) = (database.store(), now());
        for round in 0..4 {
            let writers = (0..4).map(|writer| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut draw = Draw(100 * round + writer);
                    for _ in 0..30 {
                        // The hour that is being summed up, mostly.
                        let at = begun - 16_000 - draw.below(HOUR as u64 / 2) as i64;
                        let record = drawn(&mut draw, at);
                        save_all(&store, vec![record.clone()]).await;
                        save_all(&store, vec![ended(&mut draw, &record)]).await;
                    }
                })
            });
            let hosts = (0..2).map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut summing = Summing::default();
                    for _ in 0..60 {
                        let _ = summing.step(&store).await.unwrap();
                    }
                })
            });
            let tasks: Vec<_> = writers.chain(hosts).collect();
            for task in tasks {
                task.await.unwrap();
            }
            compare(store, None, None).await;
            all_steps(store, &mut Summing::default()).await;
            compare(store, None, None).await;
        }
        assert_eq!(sums(&database).await, 4 * 4 * 30);
    }
}

#[tokio::test]
async fn while_a_host_of_an_earlier_version_is_there_and_some_minutes_longer_rows_are_counted() {
    for database in Databases::start().each().await {
        let (store, begun) = (database.store(), now());
        let mut draw = Draw(8);
        let (running, later) = (drawn(&mut draw, begun - 2 * HOUR), drawn(&mut draw, begun - HOUR));
        save_all(store, vec![running.clone()]).await;
        let mut summing = Summing::default();
        all_steps(store, &mut summing).await;
        assert_eq!(sums(&database).await, 1);
        database.execute("INSERT INTO host (id, name, seen, version, refused) VALUES ('old', 'old', 0, 0, '')").await;
        all_steps(store, &mut summing).await;
        assert_eq!(sums(&database).await, 0, "it says nothing of what it changes");
        // As the old host writes, beside the sums.
        let mut sql = Sql::new("UPDATE communication SET status = 'failed', ended_at = started_at + 9 WHERE id = ");
        sql.bind(&running.id).execute(&mut store.read().await.unwrap()).await.unwrap();
        compare(store, None, None).await;
        database.execute("DELETE FROM host").await;
        save_all(store, vec![ended(&mut draw, &later)]).await;
        all_steps(store, &mut summing).await;
        assert_eq!(sums(&database).await, 0, "it may go on after its row is gone");
        database.execute("UPDATE communication_summing SET not_before = 0").await;
        all_steps(store, &mut summing).await;
        assert_eq!(sums(&database).await, 2);
        compare(store, None, None).await;
    }
}

#[tokio::test]
async fn rows_of_before_are_summed_up_hour_by_hour_and_counted_meanwhile() {
    for database in Databases::start().each().await {
        let (store, begun) = (database.store(), now());
        let mut draw = Draw(7);
        // As they are after the upgrade: in the table, and no sum knows of them.
        let records: Vec<_> = (0..300).map(|_| time(&mut draw, begun - 20_000)).collect();
        let records: Vec<_> = records.into_iter().map(|at| drawn(&mut draw, at)).collect();
        save_all(store, records.iter().map(|record| ended(&mut draw, record)).collect()).await;
        assert_eq!(sums(&database).await, 0);
        let (mut summing, mut steps) = (Summing::default(), 0);
        while summing.step(store).await.unwrap() {
            compare(store, None, None).await;
            steps += 1;
        }
        assert!(steps > 20 && sums(&database).await == 300, "{steps}");
        let mut connection = store.read().await.unwrap();
        Sql::new("DELETE FROM communication").execute(&mut connection).await.unwrap();
        drop(connection);
        let told = overview(store, None, None).await;
        assert_eq!(told.statuses.values().sum::<i64>(), 300, "it is read from the sums");
    }
}
