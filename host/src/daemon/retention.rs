//! Removes what is old: communications by age and outcome, received and sent bytes and what became of messages by age;
//! then gives the room back that was theirs.

use crate::chain::LazySandbox;
use crate::jobs::exports;
use crate::spool::Spool;
use crate::store::repacking::{self, OldRows, PackingStep};
use crate::store::{
    Store, StoreError, broken_tasks, communications, compacting, configured_versions, feedback, idempotency, jobs,
    outgoing, plan_versions,
};
use postigo_model::configured::Settings;
use postigo_model::timestamp::now;
use postigo_supervision::{WorkKind, blocking};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Idempotency keys are remembered so long, in milliseconds.
const NAMES_KEPT: i64 = 7 * 86_400_000;

/// What broke at a host that is gone is told of for so long, in milliseconds.
const BROKEN_KEPT: i64 = 7 * 86_400_000;

/// So many labels that were given are kept, the last ones.
const FEEDBACK_KEPT: i64 = 500_000;

/// What versions tell of a thing is kept so long after it was deleted, in milliseconds.
const DELETED_KEPT: i64 = 365 * 86_400_000;

/// Deletes what of the sandbox's cache nobody used for long.
pub async fn tidy_cache(sandbox: Arc<LazySandbox>) {
    // A panic has been told of.
    let Ok(tidied) = blocking(WorkKind::Purge, "cache", move || sandbox.forget_unused()).await else { return };
    match tidied {
        Ok(0) => {}
        Ok(bytes) => tracing::debug!(bytes, "what nobody used for a week was removed from the cache"),
        Err(error) => tracing::warn!(%error, "what nobody used for a week could not be removed from the cache"),
    }
}

/// Removes the files of jobs that are no more, or that another host has by now.
async fn tidy_exports(spool: &Spool, host: &str) -> Result<(), StoreError> {
    let told = |error: &std::io::Error| tracing::warn!(%error, "files of jobs that are not kept any more could not be removed");
    let data = spool.data().to_owned();
    // Before the rows: a file that is begun meanwhile has a row by then.
    let Ok(Ok(found)) = blocking(WorkKind::Purge, "exports", move || exports::found(&data).inspect_err(told)).await
    else {
        // It has been told of.
        return Ok(());
    };
    if found.is_empty() {
        return Ok(());
    }
    let kept: HashSet<i64> = jobs::of_host(&mut *spool.store().read().await?, host).await?.into_iter().collect();
    let data = spool.data().to_owned();
    let remove =
        move || found.into_iter().filter(|job| !kept.contains(job)).try_for_each(|job| exports::remove(&data, job));
    // A panic has been told of.
    if let Ok(removed) = blocking(WorkKind::Purge, "exports", remove).await {
        removed.inspect_err(told).ok();
    }
    Ok(())
}

/// After so many rows the log says how far packing has come.
const TOLD_EVERY: u64 = 20_000;

/// So long is waited for a host of an earlier version to end; after that it is looked for when this is done again.
const WAITED: Duration = Duration::from_secs(30);

/// Packs what earlier versions wrote, removes what is old, and gives back the room that was theirs; gives the number of
/// communications that were removed.
pub async fn tidy(
    (spool, host): (&Spool, &str),
    settings: &Settings,
    stop: &CancellationToken,
) -> Result<u64, StoreError> {
    let give_up = Instant::now() + WAITED;
    for what in OldRows::ALL {
        // What cannot be packed keeps nothing from being removed.
        if let Err(error) = repack(spool.store(), what, give_up, stop).await {
            tracing::warn!(%error, "the {} of earlier versions could not be packed; tried again in an hour", what.name());
        }
    }
    let purged = purge(spool, settings).await?;
    tidy_exports(spool, host).await?;
    give_back(spool.store(), stop).await?;
    Ok(purged)
}

/// Packs the rows of this kind that versions before packing wrote, until that is done, `stop`, or a host of an earlier
/// version goes on working after `give_up`, which could not read all of them.
async fn repack(store: &Store, what: OldRows, give_up: Instant, stop: &CancellationToken) -> Result<(), StoreError> {
    let (mut packed, mut told) = (0, 0);
    while !stop.is_cancelled() {
        match repacking::step(store, what).await? {
            PackingStep::Packed(count) => packed += count,
            PackingStep::Done => {
                if packed > 0 {
                    tracing::info!(rows = packed, "the {} of earlier versions are packed", what.name());
                }
                break;
            }
            PackingStep::Waits if Instant::now() < give_up => {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(1)) => {}
                    () = stop.cancelled() => {}
                }
            }
            PackingStep::Waits => {
                tracing::info!(
                    "the {} of earlier versions stay as they are for now: a host of an earlier version, which could not read them, works on the database, or has not said within a day that it ended",
                    what.name()
                );
                break;
            }
        }
        if packed - told >= TOLD_EVERY {
            told = packed;
            tracing::info!(rows = packed, "packing the {} of earlier versions", what.name());
        }
    }
    Ok(())
}

/// Gives room of the database back that is free, in small steps, each as far from the next as it took four times over,
/// until that is done or `stop`.
async fn give_back(store: &Store, stop: &CancellationToken) -> Result<(), StoreError> {
    loop {
        let begun = Instant::now();
        if !compacting::give_back(store).await? {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(4 * begun.elapsed()) => {}
            () = stop.cancelled() => return Ok(()),
        }
    }
}

/// Removes communications that are older than `log_retention` keeps them, received and sent bytes that are older than
/// `raw_retention`, what is older than `spool_retention` of what became of messages, and jobs that ended before what
/// `job_retention` keeps; gives the communications' number.
pub async fn purge(spool: &Spool, settings: &Settings) -> Result<u64, StoreError> {
    let before = |outcome: &str| {
        let seconds = settings.log_retention.get(outcome).copied().unwrap_or(u64::MAX);
        now().saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000)).max(0)
    };
    if settings.raw_retention > 0 {
        let kept = i64::try_from(settings.raw_retention).unwrap_or(i64::MAX).saturating_mul(1_000);
        let before = now().saturating_sub(kept);
        spool.forget_raw(before).await?;
        forget_sent(spool.store(), before).await?;
    }
    if settings.spool_retention > 0 {
        let kept = i64::try_from(settings.spool_retention).unwrap_or(i64::MAX).saturating_mul(1_000);
        spool.shorten_results(now().saturating_sub(kept)).await?;
    }
    if settings.job_retention > 0 {
        let kept = i64::try_from(settings.job_retention).unwrap_or(i64::MAX).saturating_mul(1_000);
        let before = now().saturating_sub(kept);
        spool.store().write(before, |before, connection| Box::pin(jobs::purge(connection, *before))).await?;
    }
    let names_before = now().saturating_sub(NAMES_KEPT);
    spool
        .store()
        .write(names_before, |before, connection| Box::pin(idempotency::forget_before(connection, *before)))
        .await?;
    spool.store().write(now(), |now, connection| Box::pin(outgoing::forget_counts(connection, *now))).await?;
    let sent_before = now().saturating_sub(communications::SENT_WITHIN);
    spool
        .store()
        .write(sent_before, |before, connection| Box::pin(communications::end_unsent(connection, *before)))
        .await?;
    let broken_before = now().saturating_sub(BROKEN_KEPT);
    spool
        .store()
        .write(broken_before, |before, connection| Box::pin(broken_tasks::forget(connection, *before)))
        .await?;
    spool.store().write(FEEDBACK_KEPT, |kept, connection| Box::pin(feedback::trim(connection, *kept))).await?;
    configured_versions::purge_deleted(spool.store(), now().saturating_sub(DELETED_KEPT)).await?;
    let mut purged = 0;
    loop {
        let times = (before("successful"), before("failed"));
        let work = spool.store().write(times, |(successful, failed), connection| {
            Box::pin(communications::purge(connection, *successful, *failed))
        });
        let count = work.await?;
        purged += count;
        if count < communications::PURGED_AT_ONCE {
            break;
        }
    }
    let oldest = before("successful").min(before("failed"));
    loop {
        let work =
            spool.store().write(oldest, |before, connection| Box::pin(communications::purge_left(connection, *before)));
        if work.await? < communications::PURGED_AT_ONCE {
            break;
        }
    }
    // No row that was removed names them any more.
    spool.store().write(now(), |now, connection| Box::pin(plan_versions::purge(connection, *now))).await?;
    Ok(purged)
}

/// Removes the bytes of mails that were sent before this time.
async fn forget_sent(store: &Store, before: i64) -> Result<(), StoreError> {
    loop {
        let count =
            store.write(before, |before, connection| Box::pin(outgoing::forget_raw(connection, *before))).await?;
        if count < outgoing::FORGOTTEN_AT_ONCE {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commlog::Communication;
    use crate::store::Location;
    use crate::store::outgoing::{NewOutgoing, SendableMail};
    use postigo_model::communication::CommunicationKind;
    use postigo_model::outgoing::{OutgoingKind, OutgoingStatus};

    #[tokio::test]
    async fn successful_ones_go_before_failed_ones() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let spool = Spool::open(store.clone(), folder.path()).unwrap();
        for failed in [false, true] {
            let record = Communication::start(CommunicationKind::Connection, "main", "imap").finish(failed);
            store.write(record, |record, connection| Box::pin(communications::save(connection, record))).await.unwrap();
        }
        assert_eq!(purge(&spool, &Settings::default()).await.unwrap(), 0);
        let nothing = Settings { log_retention: [("failed".to_owned(), u64::MAX)].into(), ..Settings::default() };
        assert_eq!(purge(&spool, &nothing).await.unwrap(), 0, "an outcome that is not named is kept");
        let mut settings = Settings::default();
        settings.log_retention.insert("successful".to_owned(), 0);
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(purge(&spool, &settings).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn what_cannot_be_packed_keeps_nothing_from_being_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let spool = Spool::open(store.clone(), folder.path()).unwrap();
        let mut record = Communication::start(CommunicationKind::Connection, "main", "imap").finish(false);
        record.id = "00000000-0001-7000-8000-000000000000".into();
        store.write(record, |record, connection| Box::pin(communications::save(connection, record))).await.unwrap();
        store.execute("DROP TABLE packing").await;
        let settings = Settings { log_retention: [("successful".to_owned(), 1)].into(), ..Settings::default() };
        assert_eq!(tidy((&spool, "host"), &settings, &CancellationToken::new()).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn answers_of_earlier_days_are_counted_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let spool = Spool::open(store.clone(), folder.path()).unwrap();
        let may_have_one_more = async |days: i64| {
            let at = now() - days * 86_400_000;
            store
                .write(at, |at, connection| Box::pin(outgoing::count_one(connection, "jane@x.test", 1, *at)))
                .await
                .unwrap()
        };
        assert!(may_have_one_more(0).await && may_have_one_more(3).await);
        assert!(!may_have_one_more(0).await && !may_have_one_more(3).await);
        purge(&spool, &Settings::default()).await.unwrap();
        assert!(!may_have_one_more(0).await, "today's are still counted");
        assert!(may_have_one_more(3).await);
    }

    #[tokio::test]
    async fn sent_bytes_go_by_age_and_those_that_may_still_go_out_stay() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let spool = Spool::open(store.clone(), folder.path()).unwrap();
        let mut ids = Vec::new();
        for status in OutgoingStatus::ALL {
            let composed = SendableMail {
                sender: "a@x.test".into(),
                recipients: vec!["b@x.test".into()],
                raw: vec![vec![b'x'; 3 << 20].into()],
                ..SendableMail::default()
            };
            let new = NewOutgoing { kind: OutgoingKind::Reply, ticket_id: 0, article_id: 0, composed, now: 1 };
            let id = store.write(new, |new, connection| Box::pin(outgoing::queue(connection, new))).await.unwrap();
            store.execute(format!("UPDATE outgoing SET status = '{status}' WHERE id = {id}")).await;
            ids.push((id, *status));
        }
        let kept = async || {
            let mut connection = store.read().await.unwrap();
            let mut kept = Vec::new();
            for (id, status) in &ids {
                match outgoing::raw(&mut connection, *id).await {
                    Ok(Some(raw)) => assert_eq!(raw.len(), 3 << 20),
                    Ok(None) => panic!("{status} is composed"),
                    Err(error) => {
                        assert!(matches!(error, StoreError::NotFound(_)), "{error}");
                        continue;
                    }
                }
                kept.push(*status);
            }
            kept
        };
        purge(&spool, &Settings::default()).await.unwrap();
        assert_eq!(kept().await, OutgoingStatus::ALL, "without the setting all are kept");
        purge(&spool, &Settings { raw_retention: 100 * 365 * 86_400, ..Settings::default() }).await.unwrap();
        assert_eq!(kept().await, OutgoingStatus::ALL, "none is so old");
        purge(&spool, &Settings { raw_retention: 60, ..Settings::default() }).await.unwrap();
        let others: Vec<OutgoingStatus> =
            OutgoingStatus::ALL.iter().copied().filter(|status| *status != OutgoingStatus::Sent).collect();
        assert_eq!(kept().await, others);
    }
}
