//! Tokens of the REST API: made, listed, deleted, recognized.

use super::{ServiceError, ThingMistake};
use crate::store::access::{self, AccessTokenRow, NewAccessToken};
use crate::store::{Store, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use postigo_model::actor::Actor;
use postigo_model::hexadecimal::hexadecimal;
use postigo_model::role::Role;
use postigo_model::timestamp::{now, rfc3339};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// What every token begins with, so that people and secret scanners know one when they see it.
const PREFIX: &str = "postigo_";
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// Characters of a token's name.
const LONGEST_NAME: usize = 200;

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenDocument {
    /// Its id.
    pub id: i64,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Who made it; null where it was not noted.
    #[schema(required)]
    pub created_by: Option<String>,
    /// RFC 3339, UTC, exact to a minute; null: never.
    #[schema(format = DateTime)]
    pub last_used_at: Option<String>,
}

/// A token just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedToken {
    /// Its id.
    pub id: i64,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The token itself. It is shown this once.
    pub token: String,
}

/// Whose token it is that was recognized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// Row id of the token.
    pub token: i64,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

impl From<AccessTokenRow> for TokenDocument {
    fn from(row: AccessTokenRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            role: row.role,
            created_at: rfc3339(row.created_at),
            created_by: row.created_by,
            last_used_at: row.last_used_at.map(rfc3339),
        }
    }
}

/// Makes a token, and stores its digest alone. `name` says what it is for; `actor` is who makes it.
pub async fn create(store: &Store, name: String, role: Role, actor: &Actor) -> Result<CreatedToken, ServiceError> {
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME {
        let clause = format!("A token's name has 1 to {LONGEST_NAME} characters.");
        return Err(ServiceError::Mistakes(vec![ThingMistake::given("token", &name, "/name", clause)]));
    }
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        ServiceError::Failed(format!("No token was made, since the operating system gave no random bytes: {error}"))
    })?;
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let new = NewAccessToken {
        name: name.clone(),
        digest: digest(&token),
        role: role.name().to_owned(),
        created_at: now(),
        created_by: actor.to_string(),
    };
    Ok(CreatedToken { id: access::insert_token(store, new).await?, name, role, token })
}

/// The tokens by id, those after this one, at most so many.
pub async fn list(store: &Store, after: i64, limit: i64) -> Result<Vec<TokenDocument>, ServiceError> {
    Ok(access::list_tokens(store, after, limit).await?.into_iter().map(TokenDocument::from).collect())
}

/// Deletes a token; requests with it are refused from then on.
pub async fn delete(store: &Store, id: i64, actor: &Actor) -> Result<(), ServiceError> {
    if access::delete_token(store, id).await? {
        // Its row is gone, so that this is all that is left of it.
        tracing::info!(token = id, %actor, "a token was deleted");
        return Ok(());
    }
    Err(ServiceError::Missing { what: "token".to_owned(), name: id.to_string() })
}

/// Finds out whose token this is, and notes that it was used; none where it is not one of this Postigo's.
pub async fn recognize(store: &Store, token: &str) -> Result<Option<Bearer>, ServiceError> {
    let Some(row) = access::find_token(store, &digest(token)).await? else { return Ok(None) };
    let role =
        row.role.parse::<Role>().map_err(|error| StoreError::Corrupt { what: "token", reason: error.to_string() })?;
    if access::is_use_noteworthy(&row, now()) {
        // Not worth failing a request for.
        if let Err(error) = access::note_token_use(store, row.id, now()).await {
            tracing::warn!(%error, token = row.id, "the last use of a token could not be noted");
        }
    }
    Ok(Some(Bearer { token: row.id, name: row.name, role }))
}

/// SHA-256 without salt or stretching: those slow down the guessing of passwords, and nobody guesses 256 random bits.
/// What is gained is that a token is found by its digest, at the cost of one hash a request.
fn digest(token: &str) -> String {
    hexadecimal(&Sha256::digest(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_plain_sha_256() {
        assert_eq!(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
