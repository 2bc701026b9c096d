//! Removes what is old: communications by age and outcome, received bytes by age.

use crate::commlog::now;
use crate::config::Settings;
use crate::spool::Spool;
use crate::store::{StoreError, communications, correspondence};

/// Idempotency keys are remembered so long, in milliseconds.
const NAMES_KEPT: i64 = 7 * 86_400_000;

/// Removes communications that are older than `log_retention` keeps them, and received bytes that are older than `raw_retention`; gives the communications' number.
pub async fn purge(spool: &Spool, settings: &Settings) -> Result<u64, StoreError> {
    let before = |outcome: &str| {
        let seconds = settings.log_retention.get(outcome).copied().unwrap_or(u64::MAX);
        now().saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000)).max(0)
    };
    if settings.raw_retention > 0 {
        let kept = i64::try_from(settings.raw_retention).unwrap_or(i64::MAX).saturating_mul(1_000);
        spool.forget_raw(now().saturating_sub(kept)).await?;
    }
    let names_before = now().saturating_sub(NAMES_KEPT);
    spool.store().write(names_before, |before, connection| Box::pin(correspondence::forget_names(connection, *before))).await?;
    let mut purged = 0;
    loop {
        let times = (before("successful"), before("failed"));
        let work = spool
            .store()
            .write(times, |(successful, failed), connection| Box::pin(communications::purge(connection, *successful, *failed)));
        let count = work.await?;
        purged += count;
        if count < communications::PURGED_AT_ONCE {
            return Ok(purged);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commlog::{Communication, Kind};
    use crate::store::{Location, Store};

    #[tokio::test]
    async fn successful_ones_go_before_failed_ones() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let spool = Spool::open(store.clone(), folder.path()).unwrap();
        for failed in [false, true] {
            let record = Communication::start(Kind::Connection, "main", "imap").finish(failed);
            store.write(record, |record, connection| Box::pin(communications::save(connection, record))).await.unwrap();
        }
        assert_eq!(purge(&spool, &Settings::default()).await.unwrap(), 0);
        let nothing = Settings { log_retention: [("failed".to_owned(), u64::MAX)].into(), ..Settings::default() };
        assert_eq!(purge(&spool, &nothing).await.unwrap(), 0, "an outcome that is not named is kept");
        let mut settings = Settings::default();
        settings.log_retention.insert("successful".to_owned(), 0);
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        assert_eq!(purge(&spool, &settings).await.unwrap(), 1);
    }
}
