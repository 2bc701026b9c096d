//! What people, or another desk for them, said to be the right label of a mail: one row for each question of a mail.

use super::StoreError;
use super::indexed::indexed;
use super::sql::{Sql, pieces};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use std::collections::{BTreeMap, HashMap};

/// The right label of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackRow {
    /// Row id.
    pub id: i64,
    /// The mail's Message-ID with its angle brackets; of a long one its beginning and digest.
    pub message_id: String,
    /// The question of a classifier.
    pub question: String,
    /// The label.
    pub label: String,
    /// When it was given, milliseconds since the epoch.
    pub at: i64,
    /// Who gave it.
    pub actor: String,
}

/// A label that is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFeedback {
    /// The mail's Message-ID with its angle brackets.
    pub message_id: String,
    /// The question.
    pub question: String,
    /// The label.
    pub label: String,
    /// Now, milliseconds since the epoch.
    pub at: i64,
    /// Who gives it.
    pub actor: String,
}

/// Which feedback a list has.
#[derive(Debug, Clone, Default)]
pub struct FeedbackFilter {
    /// About the mail with this Message-ID.
    pub message_id: Option<String>,
    /// About this question.
    pub question: Option<String>,
    /// Before the one with this row id.
    pub before: Option<i64>,
    /// So many at most.
    pub limit: i64,
}

/// Keeps a label in the place of the one before; where it is the same, who gave it first stays. Gives the row.
pub async fn give(connection: &mut AnyConnection, new: &NewFeedback) -> Result<FeedbackRow, StoreError> {
    let key = indexed(&new.message_id);
    let mut sql = Sql::new("INSERT INTO feedback (message_id, question, label, at, actor) VALUES ");
    sql.tuple([key.clone().into(), (&new.question).into(), (&new.label).into(), new.at.into(), (&new.actor).into()]);
    sql.push(
        " ON CONFLICT (message_id, question) DO UPDATE SET label = excluded.label, at = excluded.at, \
         actor = excluded.actor WHERE feedback.label <> excluded.label",
    );
    sql.execute(connection).await?;
    let mut sql = Sql::new(format!("{SELECT} WHERE message_id = "));
    read(&sql.bind(key).push(" AND question = ").bind(&new.question).one(connection).await?)
}

const SELECT: &str = "SELECT id, message_id, question, label, at, actor FROM feedback";

fn read(row: &AnyRow) -> Result<FeedbackRow, StoreError> {
    Ok(FeedbackRow {
        id: row.try_get(0)?,
        message_id: row.try_get(1)?,
        question: row.try_get(2)?,
        label: row.try_get(3)?,
        at: row.try_get(4)?,
        actor: row.try_get(5)?,
    })
}

/// What was given, the first given last.
pub async fn list(connection: &mut AnyConnection, filter: &FeedbackFilter) -> Result<Vec<FeedbackRow>, StoreError> {
    let mut sql = Sql::new(format!("{SELECT} WHERE 1 = 1"));
    if let Some(message_id) = &filter.message_id {
        sql.push(" AND message_id = ").bind(indexed(message_id));
    }
    if let Some(question) = &filter.question {
        sql.push(" AND question = ").bind(question);
    }
    if let Some(before) = filter.before {
        sql.push(" AND id < ").bind(before);
    }
    let rows = sql.push(" ORDER BY id DESC LIMIT ").bind(filter.limit).all(connection).await?;
    rows.iter().map(read).collect()
}

/// What was given of mails, by Message-ID: question → label.
pub async fn of_mails<'m>(
    connection: &mut AnyConnection,
    message_ids: impl IntoIterator<Item = &'m str>,
) -> Result<HashMap<String, BTreeMap<String, String>>, StoreError> {
    let keys: HashMap<String, &str> =
        message_ids.into_iter().filter(|id| !id.is_empty()).map(|id| (indexed(id).into_owned(), id)).collect();
    let wanted: Vec<&str> = keys.keys().map(String::as_str).collect();
    let mut given: HashMap<String, BTreeMap<String, String>> = HashMap::new();
    for piece in pieces(&wanted) {
        let mut sql = Sql::new("SELECT message_id, question, label FROM feedback WHERE message_id IN ");
        for row in sql.list(piece.iter().copied()).all(connection).await? {
            if let Some(id) = keys.get(row.try_get::<&str, _>(0)?) {
                given.entry((*id).to_owned()).or_default().insert(row.try_get(1)?, row.try_get(2)?);
            }
        }
    }
    Ok(given)
}

/// Takes back what was given, by row id; whether there was such a row.
pub async fn take_back(connection: &mut AnyConnection, id: i64) -> Result<bool, StoreError> {
    Ok(Sql::new("DELETE FROM feedback WHERE id = ").bind(id).execute(connection).await? > 0)
}

/// Forgets what was given first, but for the last so many rows; gives the number of those that are gone.
pub async fn trim(connection: &mut AnyConnection, kept: i64) -> Result<u64, StoreError> {
    let mut sql =
        Sql::new("DELETE FROM feedback WHERE id <= (SELECT id FROM feedback ORDER BY id DESC LIMIT 1 OFFSET ");
    sql.bind(kept).push(")").execute(connection).await
}

/// Whether an article has this Message-ID.
pub async fn is_known_mail(connection: &mut AnyConnection, message_id: &str) -> Result<bool, StoreError> {
    let mut sql = Sql::new("SELECT 1 FROM article WHERE message_id <> '' AND message_id = ");
    Ok(sql.bind(indexed(message_id)).push(" LIMIT 1").optional(connection).await?.is_some())
}
