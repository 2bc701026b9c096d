//! The communication log, asked and cleared.

use super::database::{Database, Databases};
use postigo::commlog::Communication;
use postigo::store::communications::{self, LogFilter, LogSort};
use postigo_model::communication::{CommunicationKind, CommunicationRecord, CommunicationStatus, Direction, Priority};
use postigo_model::timestamp::now;

impl Database {
    async fn save(&self, record: CommunicationRecord) {
        self.store()
            .write(record, |record, connection| Box::pin(communications::save(connection, record)))
            .await
            .unwrap();
    }

    async fn ids(&self, filter: LogFilter) -> Vec<String> {
        let mut connection = self.store().read().await.unwrap();
        let filter = LogFilter { limit: 100, ..filter };
        communications::list(&mut connection, &filter).await.unwrap().into_iter().map(|record| record.id).collect()
    }
}

#[tokio::test]
async fn the_log_is_readable_while_it_grows() {
    for database in Databases::start().each().await {
        let mut connection = Communication::start(CommunicationKind::Connection, "main", "imaps");
        connection.entry(Priority::Info, "transport.imap", "Connected.");
        database.save(connection.so_far()).await;
        let mut message = Communication::start(CommunicationKind::Message, "main", "imaps")
            .brought_by(Some(connection.id().to_owned()))
            .about(7);
        message.entry(Priority::Warning, "ticket", "X-OTOBO-State: \"Open\" is no state.\0");
        message.searchable("Jane@Example.com");
        message.searchable("100% off");
        let message = message.finish(false);
        database.save(message.clone()).await;
        let mut other = Communication::start(CommunicationKind::Message, "Other", "local").finish(true);
        other.ended_at = Some(other.started_at + 60_000);
        database.save(other.clone()).await;

        let ids = |records: &[&str]| records.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let first = connection.id().to_owned();
        assert_eq!(database.ids(LogFilter::default()).await, ids(&[&other.id, &message.id, &first]));
        assert_eq!(database.ids(LogFilter { sort: LogSort::Oldest, ..LogFilter::default() }).await[0], first);
        assert_eq!(database.ids(LogFilter { sort: LogSort::Duration, ..LogFilter::default() }).await[0], other.id);
        assert_eq!(database.ids(LogFilter { sort: LogSort::Priority, ..LogFilter::default() }).await[0], message.id);
        assert_eq!(
            database.ids(LogFilter { search: Some("JANE@".into()), ..LogFilter::default() }).await,
            ids(&[&message.id])
        );
        assert_eq!(
            database.ids(LogFilter { search: Some("0% o".into()), ..LogFilter::default() }).await,
            ids(&[&message.id])
        );
        assert_eq!(database.ids(LogFilter { search: Some("0_o".into()), ..LogFilter::default() }).await, ids(&[]));
        assert_eq!(
            database.ids(LogFilter { search: Some("OTHER".into()), ..LogFilter::default() }).await,
            ids(&[&other.id])
        );
        assert_eq!(
            database.ids(LogFilter { status: Some(CommunicationStatus::Processing), ..LogFilter::default() }).await,
            ids(&[&first])
        );
        assert_eq!(
            database.ids(LogFilter { priority: Some(Priority::Warning), ..LogFilter::default() }).await,
            ids(&[&message.id])
        );
        assert_eq!(
            database.ids(LogFilter { account: Some("Other".into()), ..LogFilter::default() }).await,
            ids(&[&other.id])
        );
        assert_eq!(database.ids(LogFilter { until: Some(now() - 60_000), ..LogFilter::default() }).await, ids(&[]));
        assert_eq!(database.ids(LogFilter { since: Some(now() - 60_000), ..LogFilter::default() }).await.len(), 3);

        let mut reader = database.store().read().await.unwrap();
        let overview = communications::overview(&mut reader, None, None).await.unwrap();
        assert_eq!(
            (overview.active, overview.mean_milliseconds.is_some_and(|mean| mean >= 30_000.0)),
            (1, true),
            "{overview:?}"
        );
        assert_eq!(
            (overview.accounts["main"].status, overview.accounts["Other"].failed),
            (CommunicationStatus::Warning, 1)
        );

        // A transport may have an account's name.
        let sent = Communication::start(CommunicationKind::Message, "main", "smtp").outgoing().finish(true);
        let unsent = Communication::start(CommunicationKind::Message, "", "auto-response").outgoing().finish(true);
        database.save(sent.clone()).await;
        database.save(unsent.clone()).await;
        let overview = communications::overview(&mut reader, None, None).await.unwrap();
        assert_eq!(
            (overview.accounts.len(), overview.accounts["main"].failed, overview.transports["main"].failed),
            (2, 0, 1)
        );
        assert_eq!((overview.transports.len(), overview.statuses["failed"]), (1, 3), "{overview:?}");
        let going =
            |direction| LogFilter { direction: Some(direction), account: Some("main".into()), ..LogFilter::default() };
        assert_eq!(database.ids(going(Direction::Outgoing)).await, ids(&[&sent.id]));
        assert_eq!(database.ids(going(Direction::Incoming)).await, ids(&[&message.id, &first]));

        connection.entry(Priority::Error, "transport.imap", "The server went away.");
        database.save(connection.finish(true)).await;
        let shown = communications::show(&mut reader, &message.id, Priority::Notice).await.unwrap().unwrap();
        assert_eq!(shown.communication.entries, message.entries);
        assert_eq!(
            (shown.related.len(), shown.related[0].status, shown.related[0].entries.len()),
            (1, CommunicationStatus::Failed, 1)
        );
        let shown = communications::show(&mut reader, &first, Priority::Debug).await.unwrap().unwrap();
        assert_eq!((shown.communication.entries.len(), shown.related.len()), (2, 1));
        assert_eq!(communications::show(&mut reader, "' OR 1=1", Priority::Debug).await.unwrap(), None);
        let overview = communications::overview(&mut reader, None, None).await.unwrap();
        assert_eq!(
            overview.accounts["main"].status,
            CommunicationStatus::Failed,
            "a connection's outcome stands for its account"
        );
        drop(reader);

        let purge = |successful: i64, failed: i64| {
            database
                .store()
                .write((successful, failed), |(a, b), connection| Box::pin(communications::purge(connection, *a, *b)))
        };
        assert_eq!(purge(now() + 1_000, 0).await.unwrap(), 1);
        assert_eq!(database.ids(LogFilter::default()).await, ids(&[&unsent.id, &sent.id, &other.id, &first]));
        assert_eq!(purge(0, now() + 1_000).await.unwrap(), 4);
    }
}
