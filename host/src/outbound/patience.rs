//! Writing what became of a mail, however long the database is away.

use crate::store::StoreError;
use postigo_supervision::back_off;
use std::time::Duration;

/// The pauses while the database is away: from the first to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Writes again and again while the database is away; `id` is the mail's.
pub async fn until_the_database_answers<T, F: Future<Output = Result<T, StoreError>>>(
    id: i64,
    write: impl Fn() -> F,
) -> Result<T, StoreError> {
    let mut failures = 0;
    loop {
        match write().await {
            Err(error) if error.is_temporary() => {
                failures += 1;
                tracing::warn!(id, %error, "what became of an outgoing mail could not be written; tried again");
                tokio::time::sleep(back_off::after_failures(failures, PAUSES.0, PAUSES.1)).await;
            }
            written => return written,
        }
    }
}
