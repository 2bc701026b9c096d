//! The rows of sign-ins under way. Each is taken once.

use super::TokenOwner;
use super::tokens::milliseconds;
use crate::store::sql::{Sql, Value};
use crate::store::{Store, StoreError};
use sqlx::Row;
use sqlx::any::AnyRow;
use std::time::Duration;

/// Sign-ins that ended so long ago are removed.
const KEPT: Duration = Duration::from_hours(24);

/// A sign-in that is to begin.
#[derive(Debug, Clone)]
pub struct NewSignIn {
    /// Unique: a digest of the state parameter, or random.
    pub id: String,
    /// Whose.
    pub key: TokenOwner,
    /// What the tokens will be for.
    pub settings: String,
    /// The flow's name.
    pub flow: String,
    /// Sealed: what finishes it.
    pub sealed: String,
    /// JSON: what the person who signs in is shown.
    pub shown: String,
    /// It ends after so long.
    pub lasts: Duration,
}

/// A sign-in that was begun; times in milliseconds of the database's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRow {
    /// Its id.
    pub id: String,
    /// Whose.
    pub key: TokenOwner,
    /// What the tokens will be for.
    pub settings: String,
    /// The flow's name.
    pub flow: String,
    /// Sealed: what finishes it.
    pub sealed: String,
    /// JSON: what the person who signs in is shown.
    pub shown: String,
    /// Its end.
    pub expires_at: i64,
    /// How it stands.
    pub status: SignInStatus,
    /// The provider's code.
    pub error_code: Option<String>,
    /// Its words.
    pub error_text: Option<String>,
}

/// How a sign-in stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInStatus {
    /// The person has not answered yet.
    Waiting,
    /// It waited for too long.
    Expired,
    /// Signed in.
    Done,
    /// The provider refused it.
    Failed,
}

impl SignInStatus {
    const ALL: [Self; 4] = [Self::Waiting, Self::Expired, Self::Done, Self::Failed];

    /// Its name, as stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Expired => "expired",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    fn named(name: &str) -> Result<Self, StoreError> {
        let unknown = || StoreError::Corrupt { what: "sign-in", reason: format!("\"{name}\" is no status of one") };
        Self::ALL.into_iter().find(|known| known.name() == name).ok_or_else(unknown)
    }
}

const COLUMNS: &str = "id, owner_kind, owner, settings, flow, sealed, shown, expires_at, error_code, error_text";

/// Begins a sign-in; those that the owner began before no longer count.
pub async fn begin(store: &Store, new: NewSignIn) -> Result<(), StoreError> {
    store
        .write((new, store.engine().clock()), |(new, clock), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("DELETE FROM oauth2_sign_in WHERE (owner_kind = ");
                sql.bind(&new.key.kind).push(" AND owner = ").bind(&new.key.name);
                sql.push(") OR expires_at + ")
                    .bind(milliseconds(KEPT))
                    .push(" < ")
                    .push(clock)
                    .execute(connection)
                    .await?;
                let mut sql = Sql::new(
                    "INSERT INTO oauth2_sign_in (id, owner_kind, owner, settings, flow, sealed, shown, status",
                );
                sql.push(", begun_at, expires_at) VALUES (");
                let values: [Value; 8] = [
                    (&new.id).into(),
                    (&new.key.kind).into(),
                    (&new.key.name).into(),
                    (&new.settings).into(),
                    (&new.flow).into(),
                    (&new.sealed).into(),
                    (&new.shown).into(),
                    SignInStatus::Waiting.name().into(),
                ];
                for value in values {
                    sql.bind(value).push(", ");
                }
                sql.push(clock)
                    .push(", ")
                    .push(clock)
                    .push(" + ")
                    .bind(milliseconds(new.lasts))
                    .push(")")
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
}

/// Takes a sign-in up to finish it; nothing where there is none of this id, it was taken before, or it is too late.
pub async fn take(store: &Store, id: &str) -> Result<Option<SignInRow>, StoreError> {
    store
        .write((id.to_owned(), store.engine().clock()), |(id, clock), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("UPDATE oauth2_sign_in SET taken_at = ");
                sql.push(clock)
                    .push(" WHERE id = ")
                    .bind(id)
                    .push(" AND taken_at IS NULL AND expires_at > ")
                    .push(clock);
                sql.push(" RETURNING ").push(COLUMNS).push(", status");
                sql.optional(connection).await?.as_ref().map(read).transpose()
            })
        })
        .await
}

/// Stores how a sign-in ended; `error` is code and words.
pub async fn finish(store: &Store, id: &str, error: Option<(String, String)>) -> Result<(), StoreError> {
    store
        .write((id.to_owned(), error), |(id, error), connection| {
            Box::pin(async move {
                let (code, text) = error.clone().unzip();
                let mut sql = Sql::new("UPDATE oauth2_sign_in SET sealed = '', status = ");
                let status = if error.is_some() { SignInStatus::Failed } else { SignInStatus::Done };
                sql.bind(status.name()).push(", error_code = ").bind(code);
                sql.push(", error_text = ").bind(text).push(" WHERE id = ").bind(id).execute(connection).await?;
                Ok(())
            })
        })
        .await
}

/// A sign-in by its id.
pub async fn find_sign_in(store: &Store, id: &str) -> Result<Option<SignInRow>, StoreError> {
    let mut sql = select(store);
    let row = sql.push(" WHERE id = ").bind(id).optional(&mut *store.read().await?).await?;
    row.as_ref().map(read).transpose()
}

/// The sign-in that an owner began last.
pub async fn latest(store: &Store, key: &TokenOwner) -> Result<Option<SignInRow>, StoreError> {
    let mut sql = select(store);
    sql.push(" WHERE owner_kind = ").bind(&key.kind).push(" AND owner = ").bind(&key.name);
    let row = sql.push(" ORDER BY begun_at DESC LIMIT 1").optional(&mut *store.read().await?).await?;
    row.as_ref().map(read).transpose()
}

fn select(store: &Store) -> Sql {
    let clock = store.engine().clock();
    let status = format!("CASE WHEN status = 'waiting' AND expires_at <= {clock} THEN 'expired' ELSE status END");
    Sql::new(format!("SELECT {COLUMNS}, {status} FROM oauth2_sign_in"))
}

fn read(row: &AnyRow) -> Result<SignInRow, StoreError> {
    Ok(SignInRow {
        id: row.try_get(0)?,
        key: TokenOwner { kind: row.try_get(1)?, name: row.try_get(2)? },
        settings: row.try_get(3)?,
        flow: row.try_get(4)?,
        sealed: row.try_get(5)?,
        shown: row.try_get(6)?,
        expires_at: row.try_get(7)?,
        error_code: row.try_get(8)?,
        error_text: row.try_get(9)?,
        status: SignInStatus::named(row.try_get(10)?)?,
    })
}
