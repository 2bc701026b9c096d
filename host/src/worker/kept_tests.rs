//! What is kept of a message that was worked on, and what is put together from the plan's version when it is shown.

use super::tests::{Desk, mail, sets, unmatched};
use crate::service;
use crate::spool::SpoolMessage;
use crate::store::sql::Sql;
use crate::store::{communications, plan_versions};
use postigo_mail::Mail;
use postigo_model::communication::Priority;
use postigo_model::result::{FilterOutcome, MessageResult, MessageStatus};
use postigo_model::timestamp::now;
use postigo_sandbox::Verdict;
use sqlx::Row as _;

fn judge(mail: &Mail) -> Verdict {
    if mail.header("X-Match-Here").is_some() { sets("X-OTOBO-Priority", "4 high") } else { unmatched() }
}

async fn desk() -> Desk {
    let desk = Desk::with(judge).await;
    desk.take_in(&[&mail("1", "X-Match-Here: yes\r\n"), &mail("2", "")]).await;
    desk
}

impl Desk {
    async fn count(&self, sql: &str) -> i64 {
        Sql::new(sql).one(&mut self.spool.store().read().await.unwrap()).await.unwrap().get(0)
    }

    async fn kept(&self, id: i64) -> SpoolMessage {
        self.spool.show(id).await.unwrap().unwrap()
    }

    async fn told(&self, result: &MessageResult, priority: Priority) -> Vec<String> {
        let id = result.communication.as_deref().unwrap();
        let shown = service::communications::show(self.spool.store(), id, priority).await.unwrap();
        let entries = shown.communication.entries.iter();
        entries.filter(|entry| entry.key == "filter:judge").map(|entry| entry.value.clone()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_that_did_nothing_is_told_of_by_the_version_of_the_plan() {
    let desk = desk().await;
    let ended = desk.work().await;
    for done in &ended {
        assert!(done.result.filters[0].micros.is_some(), "who worked on it knows how long it took");
        let result = desk.kept(done.id).await.result.unwrap();
        assert_eq!(result.filters.len(), 1);
        let (own, read) = (&done.result.filters[0], &result.filters[0]);
        assert_eq!((&read.name, read.outcome, &read.changes), (&own.name, own.outcome, &own.changes));
        assert_eq!(read.micros, own.micros.filter(|_| own.outcome == FilterOutcome::Matched));
        let version = read.version.as_ref().unwrap();
        assert_eq!(
            (version.title().as_str(), version.digest.as_str(), version.settings.len()),
            (format!("native@1.0.0, settings {}", version.revision()).as_str(), "0", 64)
        );
        assert!(result.plan.is_some_and(|plan| plan.len() == 16));
        assert_eq!(
            MessageResult { filters: Vec::new(), plan: None, ..result },
            MessageResult { filters: Vec::new(), ..done.result.clone() }
        );
    }
    let matched = desk.told(&ended[0].result, Priority::Debug).await;
    assert!(
        matched.len() == 1
            && matched[0].starts_with("Matched in ")
            && matched[0].contains(" by native@1.0.0, settings "),
        "{matched:?}"
    );
    let unmatched = desk.told(&ended[1].result, Priority::Debug).await;
    assert!(
        unmatched.len() == 1 && unmatched[0].starts_with("Not matched by native@1.0.0, settings "),
        "{unmatched:?}"
    );
    assert!(desk.told(&ended[1].result, Priority::Info).await.is_empty());
    // What is stored names the version, once, and has no line of the filter that did nothing.
    assert_eq!(desk.count("SELECT COUNT(*) FROM plan_version").await, 1);
    assert_eq!(
        desk.count("SELECT COUNT(*) FROM spool JOIN communication_entries ON communication_entries.plan = spool.plan")
            .await,
        4
    );
    let mut connection = desk.spool.store().read().await.unwrap();
    let id = ended[1].result.communication.clone().unwrap();
    let stored = communications::show(&mut connection, &id, Priority::Debug).await.unwrap().unwrap().communication;
    assert!(stored.entries.iter().all(|entry| entry.key != "filter:judge"), "{stored:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_is_old_status_and_ticket_stay_and_the_plan_goes_when_nothing_names_it() {
    let desk = desk().await;
    let ended = desk.work().await;
    assert_eq!(desk.spool.shorten_results(now() - 60_000).await.unwrap(), 0);
    assert_eq!(desk.spool.shorten_results(now() + 1_000).await.unwrap(), 2);
    assert_eq!(desk.spool.shorten_results(now() + 1_000).await.unwrap(), 0, "once is enough");
    for done in &ended {
        let result = desk.kept(done.id).await.result.unwrap();
        assert_eq!((result.status, result.ticket_number.is_some()), (MessageStatus::Filed, true));
        assert!(result.filters.is_empty() && result.headers.is_empty() && result.plan.is_none(), "{result:?}");
    }
    let forget = async || {
        let work = desk
            .spool
            .store()
            .write(now() + 30 * 86_400_000, |now, connection| Box::pin(plan_versions::purge(connection, *now)));
        work.await.unwrap()
    };
    assert_eq!(forget().await, 0, "the log still names it");
    let work = desk
        .spool
        .store()
        .write(now() + 1_000, |now, connection| Box::pin(communications::purge(connection, *now, *now)));
    assert_eq!(work.await.unwrap(), 2);
    assert_eq!(desk.count("SELECT COUNT(*) FROM communication_entries").await, 0);
    assert_eq!(forget().await, 1);
    // A mail that comes later notes it again, or names none.
    desk.take_in(&[&mail("3", "")]).await;
    assert_eq!(desk.work().await[0].result.status, MessageStatus::Filed);
}
