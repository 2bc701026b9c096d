//! The rows of tokens. Whoever renews a token holds the row's claim: one at a time, over all hosts.

use super::TokenOwner;
use crate::store::claims::Term;
use crate::store::sql::{Sql, Value};
use crate::store::{Store, StoreError};
use sqlx::Row;
use sqlx::any::AnyRow;
use std::time::Duration;

/// Tokens as they lie in the database, sealed; times in milliseconds of its clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth2TokenRow {
    /// Whose.
    pub key: TokenOwner,
    /// What the tokens were got for.
    pub settings: String,
    /// Sealed.
    pub access_token: Option<String>,
    /// Sealed.
    pub refresh_token: Option<String>,
    /// The access token's end.
    pub expires_at: Option<i64>,
    /// When to renew it.
    pub renew_at: Option<i64>,
    /// The last sign-in by a person.
    pub signed_in_at: Option<i64>,
    /// The last time that the provider gave an access token.
    pub refreshed_at: Option<i64>,
    /// What the provider last said, if it was no.
    pub error: Option<ErrorRow>,
    /// Now.
    pub now: i64,
}

/// A refusal that has not been followed by a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRow {
    /// The provider's code.
    pub code: String,
    /// Its words.
    pub text: String,
    /// The first time.
    pub since: i64,
    /// The last time.
    pub at: i64,
    /// How often in a row.
    pub tries: i64,
    /// Not asked again before.
    pub next_try_at: i64,
    /// Only a new sign-in helps.
    pub is_final: bool,
}

/// What the provider gave, sealed.
#[derive(Debug, Clone)]
pub struct NewTokens {
    /// Sealed.
    pub access_token: String,
    /// Sealed; none: the one before stays.
    pub refresh_token: Option<String>,
    /// So long the access token lasts.
    pub lasts: Duration,
    /// After so long it is renewed.
    pub renew_after: Duration,
}

/// What the provider said instead.
#[derive(Debug, Clone)]
pub struct ProviderRefusal {
    /// The provider's code.
    pub code: String,
    /// Its words.
    pub text: String,
    /// Only a new sign-in helps.
    pub is_final: bool,
    /// So long nobody asks again.
    pub pause: Duration,
}

const COLUMNS: &str = "owner_kind, owner, settings, access_token, refresh_token, expires_at, renew_at, signed_in_at, refreshed_at, \
                       error_code, error_text, error_since, error_at, error_final, tries, next_try_at";
const NO_ERROR: &str = "error_code = NULL, error_text = NULL, error_since = NULL, error_at = NULL, error_final = 0, tries = 0, next_try_at = NULL";

/// The tokens of one owner, if it ever had any.
pub async fn find(store: &Store, key: &TokenOwner) -> Result<Option<OAuth2TokenRow>, StoreError> {
    let mut sql = Sql::new(format!("SELECT {COLUMNS}, {} FROM oauth2_token", store.engine().clock()));
    let row = of(&mut sql, key).optional(&mut *store.read().await?).await?;
    row.as_ref().map(|row| read(row).map_err(|error| unreadable(row, &error))).transpose()
}

/// The tokens of all owners, as far as their rows can be read, and what is wrong with the others: one that was changed
/// by hand must not keep the others from being renewed.
pub async fn all(store: &Store) -> Result<(Vec<OAuth2TokenRow>, Vec<StoreError>), StoreError> {
    let mut sql = Sql::new(format!("SELECT {COLUMNS}, {} FROM oauth2_token", store.engine().clock()));
    let rows = sql.push(" ORDER BY owner_kind, owner").all(&mut *store.read().await?).await?;
    let (mut readable, mut others) = (Vec::new(), Vec::new());
    for row in &rows {
        match read(row) {
            Ok(row) => readable.push(row),
            Err(error) => others.push(unreadable(row, &error)),
        }
    }
    Ok((readable, others))
}

fn unreadable(row: &AnyRow, error: &sqlx::Error) -> StoreError {
    let owner = |column: usize| row.try_get::<String, _>(column).unwrap_or_else(|_| "?".to_owned());
    StoreError::Corrupt {
        what: "OAuth2 token",
        reason: format!("{} {:?}: {error}. Another sign-in makes it anew", owner(0), owner(1)),
    }
}

fn of<'s>(sql: &'s mut Sql, key: &TokenOwner) -> &'s mut Sql {
    sql.push(" WHERE owner_kind = ").bind(&key.kind).push(" AND owner = ").bind(&key.name)
}

fn read(row: &AnyRow) -> Result<OAuth2TokenRow, sqlx::Error> {
    let code: Option<String> = row.try_get(9)?;
    let error = match code {
        None => None,
        Some(code) => Some(ErrorRow {
            code,
            text: row.try_get::<Option<String>, _>(10)?.unwrap_or_default(),
            since: row.try_get::<Option<i64>, _>(11)?.unwrap_or_default(),
            at: row.try_get::<Option<i64>, _>(12)?.unwrap_or_default(),
            is_final: row.try_get::<i64, _>(13)? != 0,
            tries: row.try_get(14)?,
            next_try_at: row.try_get::<Option<i64>, _>(15)?.unwrap_or_default(),
        }),
    };
    Ok(OAuth2TokenRow {
        key: TokenOwner { kind: row.try_get(0)?, name: row.try_get(1)? },
        settings: row.try_get(2)?,
        access_token: row.try_get(3)?,
        refresh_token: row.try_get(4)?,
        expires_at: row.try_get(5)?,
        renew_at: row.try_get(6)?,
        signed_in_at: row.try_get(7)?,
        refreshed_at: row.try_get(8)?,
        error,
        now: row.try_get(16)?,
    })
}

/// Takes the right to renew an owner's token, for as long as `lasts`; false where somebody else has it. A row for other
/// settings is begun anew: its tokens are not for these.
pub async fn claim(
    store: &Store,
    key: &TokenOwner,
    settings: &str,
    claim: &str,
    lasts: Duration,
) -> Result<bool, StoreError> {
    let term = Term { until: "oauth2_token.claimed_until", lasts };
    let input = (key.clone(), settings.to_owned(), claim.to_owned(), term, store.engine());
    store
        .write(input, |(key, settings, claim, term, engine), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("DELETE FROM oauth2_token");
                term.over(of(&mut sql, key).push(" AND settings <> ").bind(settings).push(" AND "), *engine).execute(connection).await?;
                let mut sql = Sql::new("INSERT INTO oauth2_token (owner_kind, owner, settings, claim, claimed_until) VALUES (");
                sql.bind(&key.kind).push(", ").bind(&key.name).push(", ").bind(settings).push(", ").bind(claim).push(", ");
                term.from_now(&mut sql, *engine);
                sql.push(") ON CONFLICT (owner_kind, owner) DO UPDATE SET claim = excluded.claim, claimed_until = excluded.claimed_until");
                term.over(sql.push(" WHERE "), *engine);
                sql.push(" AND oauth2_token.settings = excluded.settings");
                Ok(sql.execute(connection).await? == 1)
            })
        })
        .await
}

/// Gives a claim back without having asked the provider.
pub async fn release(store: &Store, key: &TokenOwner, claim: &str) -> Result<(), StoreError> {
    store
        .write((key.clone(), claim.to_owned()), |(key, claim), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("UPDATE oauth2_token SET claim = NULL, claimed_until = 0");
                of(&mut sql, key).push(" AND claim = ").bind(claim).execute(connection).await?;
                Ok(())
            })
        })
        .await
}

/// What was renewed.
#[derive(Debug, Clone)]
pub struct RenewedTokens {
    /// Whose.
    pub key: TokenOwner,
    /// The claim under which the provider was asked.
    pub claim: String,
    /// The refresh token, sealed, that it was asked with, if there was one.
    pub before: Option<String>,
}

/// Stores what a renewal gave, access token and rotated refresh token together; false where it was signed in or renewed
/// by others meanwhile. A claim that lapsed does not matter while the refresh token is still the one before: the
/// provider has given this one for it.
pub async fn renewed(store: &Store, renewed: RenewedTokens, new: NewTokens) -> Result<bool, StoreError> {
    store
        .write((renewed, new, store.engine().clock()), |(renewed, new, clock), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("UPDATE oauth2_token SET access_token = ");
                sql.bind(&new.access_token).push(", refresh_token = COALESCE(CAST(").bind(&new.refresh_token);
                sql.push(" AS TEXT), refresh_token), expires_at = ")
                    .push(clock)
                    .push(" + ")
                    .bind(milliseconds(new.lasts));
                sql.push(", renew_at = ").push(clock).push(" + ").bind(milliseconds(new.renew_after));
                sql.push(", refreshed_at = ").push(clock).push(", claim = NULL, claimed_until = 0, ").push(NO_ERROR);
                of(&mut sql, &renewed.key).push(" AND (claim = ").bind(&renewed.claim);
                sql.push(" OR refresh_token = ").bind(&renewed.before).push(")");
                Ok(sql.execute(connection).await? == 1)
            })
        })
        .await
}

/// Stores what a sign-in gave, in place of all that was there.
pub async fn signed_in(store: &Store, key: &TokenOwner, settings: &str, new: NewTokens) -> Result<(), StoreError> {
    let input = (key.clone(), settings.to_owned(), new, store.engine().clock());
    store
        .write(input, |(key, settings, new, clock), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("DELETE FROM oauth2_token");
                of(&mut sql, key).execute(connection).await?;
                let mut sql =
                    Sql::new("INSERT INTO oauth2_token (owner_kind, owner, settings, access_token, refresh_token");
                sql.push(", expires_at, renew_at, signed_in_at, refreshed_at) VALUES (");
                let values: [Value; 5] = [
                    (&key.kind).into(),
                    (&key.name).into(),
                    settings.into(),
                    (&new.access_token).into(),
                    (&new.refresh_token).into(),
                ];
                for value in values {
                    sql.bind(value).push(", ");
                }
                sql.push(clock).push(" + ").bind(milliseconds(new.lasts)).push(", ");
                sql.push(clock).push(" + ").bind(milliseconds(new.renew_after)).push(", ");
                sql.push(clock).push(", ").push(clock).push(")").execute(connection).await?;
                Ok(())
            })
        })
        .await
}

/// Stores that the provider refused; the first of several refusals in a row keeps its time.
pub async fn failed(store: &Store, key: &TokenOwner, claim: &str, refusal: ProviderRefusal) -> Result<(), StoreError> {
    let input = (key.clone(), claim.to_owned(), refusal, store.engine().clock());
    store
        .write(input, |(key, claim, refusal, clock), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("UPDATE oauth2_token SET error_code = ");
                sql.bind(&refusal.code)
                    .push(", error_text = ")
                    .bind(&refusal.text)
                    .push(", error_final = ")
                    .bind(refusal.is_final);
                sql.push(", error_since = COALESCE(error_since, ").push(clock).push("), error_at = ").push(clock);
                sql.push(", tries = tries + 1, next_try_at = ")
                    .push(clock)
                    .push(" + ")
                    .bind(milliseconds(refusal.pause));
                sql.push(", claim = NULL, claimed_until = 0");
                of(&mut sql, key).push(" AND claim = ").bind(claim).execute(connection).await?;
                Ok(())
            })
        })
        .await
}

/// Puts the same tokens, sealed for other settings, in the place of a row's, if it is still as it was.
pub async fn bind(
    store: &Store,
    row: &OAuth2TokenRow,
    settings: &str,
    access_token: Option<String>,
    refresh_token: Option<String>,
) -> Result<(), StoreError> {
    store
        .write(
            (row.clone(), settings.to_owned(), access_token, refresh_token),
            |(row, settings, access, refresh), connection| {
                Box::pin(async move {
                    let mut sql = Sql::new("UPDATE oauth2_token SET settings = ");
                    sql.bind(&*settings)
                        .push(", access_token = ")
                        .bind(&*access)
                        .push(", refresh_token = ")
                        .bind(&*refresh);
                    of(&mut sql, &row.key).push(" AND settings = ").bind(&row.settings).execute(connection).await?;
                    Ok(())
                })
            },
        )
        .await
}

/// Forgets an access token that the provider gave at least `age` ago; false where it is younger.
pub async fn forget_access(store: &Store, key: &TokenOwner, age: Duration) -> Result<bool, StoreError> {
    let input = (key.clone(), milliseconds(age), store.engine().clock());
    store
        .write(input, |(key, age, clock), connection| {
            Box::pin(async move {
                let mut sql =
                    Sql::new("UPDATE oauth2_token SET access_token = NULL, expires_at = NULL, renew_at = NULL");
                of(&mut sql, key).push(" AND refreshed_at + ").bind(*age).push(" <= ").push(clock);
                Ok(sql.execute(connection).await? == 1)
            })
        })
        .await
}

/// Forgets all tokens of an owner, and its sign-ins under way; false where there were no tokens.
pub async fn forget(store: &Store, key: &TokenOwner) -> Result<bool, StoreError> {
    store
        .write(key.clone(), |key, connection| {
            Box::pin(async move {
                let mut sql = Sql::new("DELETE FROM oauth2_sign_in");
                of(&mut sql, key).execute(connection).await?;
                let mut sql = Sql::new("DELETE FROM oauth2_token");
                Ok(of(&mut sql, key).execute(connection).await? == 1)
            })
        })
        .await
}

/// Forgets the tokens that an owner got for these settings; false where there are none. Sign-ins under way go on.
pub async fn forget_tokens(store: &Store, key: &TokenOwner, settings: &str) -> Result<bool, StoreError> {
    store
        .write((key.clone(), settings.to_owned()), |(key, settings), connection| {
            Box::pin(async move {
                let mut sql = Sql::new("DELETE FROM oauth2_token");
                Ok(of(&mut sql, key).push(" AND settings = ").bind(settings).execute(connection).await? == 1)
            })
        })
        .await
}

pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
