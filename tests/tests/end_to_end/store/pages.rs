//! Lists are walked in pages, and searches say how far they came.

use super::database::Databases;
use super::sums::{HOUR, drawn, ended, id_of, save_all, save_empty};
use postigo::commlog::Communication;
use postigo::store::Store;
use postigo::store::communications::{self, LogFilter, LogSort};
use postigo::store::sql::Sql;
use postigo::store::tickets::{self, TicketFilter};
use postigo_model::communication::{CommunicationKind, CommunicationRecord, CommunicationStatus};
use postigo_model::timestamp::now;
use postigo_tests::draw::Draw;
use std::collections::HashSet;
use std::time::Duration;

/// Walks a list to its end, in pages of so many rows that are looked for within this time.
async fn walk(store: &Store, mut filter: LogFilter, budget: Duration, mut between: impl AsyncFnMut()) -> Vec<String> {
    // The oldest first, a list to which something comes with each page has no end.
    let mut comes = 3;
    let mut ids = Vec::new();
    loop {
        let page = communications::page(&mut store.read().await.unwrap(), &filter, budget).await.unwrap();
        assert!(page.rows.len() as i64 <= filter.limit);
        let last = page.rows.last().map(|(place, _)| place.clone());
        ids.extend(page.rows.iter().map(|(_, record)| record.id.clone()));
        let Some(place) = page.searched_to.or(last) else { return ids };
        // As a cursor has it.
        let written = place.to_string();
        filter.past = filter.sort.place(&written);
        assert_eq!(filter.past.as_ref().map(ToString::to_string), Some(written));
        if comes > 0 {
            comes -= 1;
            between().await;
        }
    }
}

#[tokio::test]
async fn a_list_that_is_walked_in_pages_has_each_row_once_in_every_order_while_mail_comes_in() {
    use LogSort::{Account, Duration as Took, Newest, Oldest, Priority, Status};
    for database in Databases::start().each().await {
        let (store, begun) = (database.store(), now());
        let mut draw = Draw(3);
        let mut records = Vec::new();
        for number in 0..2_500 {
            let at = begun - 5 * HOUR + number * HOUR / 500;
            let record = drawn(&mut draw, at);
            let mut record = ended(&mut draw, &record);
            record.search = if number % 700 == 0 { "a zebra".to_owned() } else { "a horse".to_owned() };
            records.push(record);
        }
        save_all(store, records).await;
        for at in [begun - 5 * HOUR, begun - HOUR] {
            let record = Communication::start(CommunicationKind::Connection, "main", "imap").finish(false);
            save_empty(store, CommunicationRecord { id: id_of(at, &record.id), started_at: at, ..record }).await;
        }
        let come = async || {
            let mut draw = Draw(9);
            let record = drawn(&mut draw, now());
            save_all(store, vec![ended(&mut draw, &record)]).await;
        };
        let zebra = Some("ZEBRA".to_owned());
        let filters = [
            LogFilter::default(),
            LogFilter { search: zebra.clone(), ..LogFilter::default() },
            LogFilter { account: Some("main".into()), ..LogFilter::default() },
            LogFilter { status: Some(CommunicationStatus::Failed), search: zebra, ..LogFilter::default() },
            LogFilter {
                since: Some(begun - 2 * HOUR),
                kind: Some(CommunicationKind::Connection),
                ..LogFilter::default()
            },
        ];
        for filter in filters {
            for sort in [Newest, Oldest, Took, Account, Status, Priority] {
                for reverse in [false, true] {
                    let filter = LogFilter { sort, reverse, until: Some(begun), limit: 1_000_000, ..filter.clone() };
                    let all = communications::list(&mut store.read().await.unwrap(), &filter).await.unwrap();
                    let all: Vec<String> = all.into_iter().map(|record| record.id).collect();
                    let filter = LogFilter { limit: 611, until: None, ..filter };
                    let walked = walk(store, filter, Duration::ZERO, come).await;
                    let there: HashSet<&String> = all.iter().collect();
                    let walked: Vec<String> = walked.into_iter().filter(|id| there.contains(id)).collect();
                    assert_eq!(walked, all, "{sort:?} {reverse}");
                }
            }
        }
    }
}

#[tokio::test]
async fn empty_fetches_that_reach_into_a_span_come_once_in_either_order() {
    for database in Databases::start().each().await {
        let store = database.store();
        let noon = now().div_euclid(24 * HOUR) * 24 * HOUR - 12 * HOUR;
        for at in [noon, noon + HOUR] {
            for account in ["one", "two"] {
                let record = Communication::start(CommunicationKind::Connection, account, "imap").finish(false);
                save_empty(store, CommunicationRecord { id: id_of(at, &record.id), started_at: at, ..record }).await;
            }
        }
        let mut draw = Draw(5);
        let records: Vec<_> = (1..5).map(|minute| drawn(&mut draw, noon + HOUR / 2 + minute * 60_000)).collect();
        save_all(store, records.iter().map(|record| ended(&mut draw, record)).collect()).await;
        for sort in [LogSort::Oldest, LogSort::Newest] {
            let direction = [None, Some("incoming"), Some("outgoing")].map(|it| it.map(|it| it.parse().unwrap()));
            for direction in direction {
                let since = Some(noon + HOUR / 2);
                let filter = LogFilter { sort, since, direction, limit: 1_000, ..LogFilter::default() };
                let all = communications::list(&mut store.read().await.unwrap(), &filter).await.unwrap();
                let all: Vec<String> = all.into_iter().map(|record| record.id).collect();
                let walked = walk(store, LogFilter { limit: 1, ..filter }, Duration::ZERO, async || {}).await;
                assert_eq!(walked, all, "{sort:?} {direction:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_search_within_a_budget_says_how_far_it_came() {
    for database in Databases::start().each().await {
        let (store, begun) = (database.store(), now());
        let mut draw = Draw(4);
        let mut records = Vec::new();
        for number in 0..5_000 {
            let record = drawn(&mut draw, begun - HOUR + number * 100);
            let record = ended(&mut draw, &record);
            let search = if number == 10 { "a zebra".to_owned() } else { String::new() };
            records.push(CommunicationRecord { search, ..record });
        }
        let found = records[10].id.clone();
        save_all(store, records).await;
        let mut filter = LogFilter { search: Some("zebra".into()), limit: 50, ..LogFilter::default() };
        let mut connection = store.read().await.unwrap();
        let page = communications::page(&mut connection, &filter, Duration::ZERO).await.unwrap();
        let place = page.searched_to.unwrap();
        assert!(page.rows.is_empty() && place.started_at() > begun - HOUR && place.started_at() < begun);
        filter.past = Some(place);
        let page = communications::page(&mut connection, &filter, Duration::MAX).await.unwrap();
        assert_eq!((page.rows.len(), page.searched_to), (1, None));
        assert_eq!(page.rows[0].1.id, found);
    }
}

#[tokio::test]
async fn a_search_over_many_tickets_says_how_far_it_came() {
    for database in Databases::start().each().await {
        let mut connection = database.store().read().await.unwrap();
        for (id, title) in [(1_i64, "A Zebra"), (30_000, "A horse")] {
            let mut sql = Sql::new(
                "INSERT INTO ticket (id, number, title, queue, state, priority, type, lock_state, dynamic_fields, created_at, changed_at) VALUES ",
            );
            let text = |text: &str| text.to_owned().into();
            let row = [
                id.into(),
                format!("2026{id}").into(),
                text(title),
                text("Raw"),
                text("open"),
                text("3 normal"),
                text("Unclassified"),
                text("unlock"),
                text("{}"),
                (1_000 + id).into(),
                (1_000 + id).into(),
            ];
            sql.tuple(row).execute(&mut connection).await.unwrap();
        }
        let mut filter = TicketFilter { search: Some("zebra".into()), limit: 50, ..TicketFilter::default() };
        let page = tickets::page(&mut connection, &filter, Duration::ZERO).await.unwrap();
        let place = page.searched_to.unwrap();
        assert!(page.rows.is_empty() && place.id > 1 && place.created_at == 31_000, "{place:?}");
        filter.before = Some(i64::MAX);
        let again = tickets::page(&mut connection, &filter, Duration::ZERO).await.unwrap();
        assert_eq!(again.searched_to, Some(place), "past the last one there is nothing to be looked at");
        filter.before = Some(place.id);
        let page = tickets::page(&mut connection, &filter, Duration::MAX).await.unwrap();
        assert_eq!((page.rows.len(), page.searched_to), (1, None));
        assert_eq!(page.rows[0].title, "A Zebra");
    }
}
