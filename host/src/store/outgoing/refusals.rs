//! Senders of mail that was too large to be taken in, who are told so, once for each mail.

use super::due::{DAY, INSERT, count_in_hour, count_one, is_hour_full};
use crate::store::StoreError;
use crate::store::sql::{Sql, Value};
use postigo_model::outgoing::{OutgoingKind, OutgoingStatus};
use sqlx::AnyConnection;

/// A mail that no source has named for so long, in milliseconds, is gone from there.
const REMEMBERED: i64 = 30 * DAY;

/// A mail that was not taken in, and whom that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeRefusal {
    /// What the mail is known by if its source does not remove it and names it again.
    pub digest: Vec<u8>,
    /// A bare address.
    pub to: String,
    /// The queue that tells it.
    pub queue: String,
    /// What it is told.
    pub text: String,
    /// Milliseconds since the epoch.
    pub now: i64,
    /// Automatic answers that a person gets within a day (UTC).
    pub per_day: u32,
    /// Automatic answers to everybody within an hour; 0: no limit.
    pub per_hour: u32,
}

/// Whether a sender is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderNotice {
    /// The mail that tells it is in the queue.
    Now,
    /// Of this very mail it was told before.
    Before,
    /// The address has had all automatic answers of the day.
    NotToday,
    /// All automatic answers of the hour have gone out.
    NotThisHour,
}

/// Counts a refusal against its address's daily limit and writes it if it is below, and if the sender was not told of
/// this mail before.
pub async fn refuse(connection: &mut AnyConnection, refusal: &IntakeRefusal) -> Result<SenderNotice, StoreError> {
    let mut sql = Sql::new("UPDATE refused_mail SET named_at = ");
    if sql.bind(refusal.now).push(" WHERE digest = ").bind(refusal.digest.clone()).execute(connection).await? > 0 {
        return Ok(SenderNotice::Before);
    }
    if is_hour_full(connection, refusal.per_hour, refusal.now).await? {
        return Ok(SenderNotice::NotThisHour);
    }
    if !count_one(connection, &refusal.to, refusal.per_day, refusal.now).await? {
        return Ok(SenderNotice::NotToday);
    }
    count_in_hour(connection, refusal.per_hour, refusal.now).await?;
    Sql::new("DELETE FROM refused_mail WHERE named_at < ").bind(refusal.now - REMEMBERED).execute(connection).await?;
    let mut sql = Sql::new("INSERT INTO refused_mail (digest, named_at) VALUES ");
    sql.tuple([refusal.digest.clone().into(), refusal.now.into()]).execute(connection).await?;
    let recipients = serde_json::json!([refusal.to]).to_string();
    let row: [Value; 10] = [
        OutgoingKind::Refusal.name().into(),
        OutgoingStatus::Due.name().into(),
        0_i64.into(),
        0_i64.into(),
        "oversize".into(),
        (&refusal.text).into(),
        recipients.into(),
        refusal.now.into(),
        refusal.now.into(),
        (&refusal.queue).into(),
    ];
    Sql::new(INSERT).tuples([row]).execute(connection).await?;
    Ok(SenderNotice::Now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Location, Store};

    #[tokio::test]
    async fn a_sender_is_told_of_a_mail_once_however_often_its_source_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned())).await.unwrap();
        let refusal = |digest: u8, day: i64, per_day| IntakeRefusal {
            digest: vec![digest],
            to: "jane@example.com".into(),
            queue: "Raw".into(),
            text: "Too large.".into(),
            now: day * DAY,
            per_day,
            per_hour: 1,
        };
        let tell = async |refusal: IntakeRefusal| {
            store.write(refusal, |refusal, connection| Box::pin(refuse(connection, refusal))).await.unwrap()
        };
        assert_eq!(tell(refusal(1, 0, 40)).await, SenderNotice::Now);
        assert_eq!(tell(refusal(2, 0, 1)).await, SenderNotice::NotThisHour);
        assert_eq!(tell(IntakeRefusal { per_hour: 0, ..refusal(2, 0, 1) }).await, SenderNotice::NotToday);
        assert_eq!(tell(refusal(2, 1, 1)).await, SenderNotice::Now, "who was not told yet is told on another day");
        let spelled = IntakeRefusal { to: "\"Jane\"+2@example.com.".into(), per_hour: 0, ..refusal(9, 1, 1) };
        assert_eq!(tell(spelled).await, SenderNotice::NotToday, "another spelling is the same person");
        assert_eq!(tell(refusal(1, 29, 40)).await, SenderNotice::Before);
        assert_eq!(tell(refusal(3, 40, 40)).await, SenderNotice::Now);
        assert_eq!(tell(refusal(1, 41, 40)).await, SenderNotice::Before, "it is still named");
        assert_eq!(
            tell(IntakeRefusal { per_hour: 2, ..refusal(2, 41, 40) }).await,
            SenderNotice::Now,
            "one that is like it, long after it, is another mail"
        );
        assert_eq!(crate::store::outgoing::due(&mut store.read().await.unwrap(), 10).await.unwrap().len(), 4);
    }
}
