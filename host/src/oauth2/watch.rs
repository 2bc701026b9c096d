//! What is looked after without a fetch or a mail to send: refresh tokens that nobody uses are used before they end, and told of.

use super::state::{ends_at, warns};
use super::{Owner, Subject, Tokens};
use crate::config::Configuration;
use crate::store::oauth2 as rows;
use std::collections::BTreeMap;

/// How an owner's tokens stand, for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Whose.
    pub owner: Owner,
    /// Seconds since the provider first refused; none: it does not.
    pub refused_for: Option<u64>,
    /// Seconds until the refresh token ends if it is not used; none: not known, or there is none.
    pub refresh_token_left: Option<u64>,
    /// Whether the refresh token is to be used now, so that it does not end.
    is_due: bool,
}

/// How the tokens of all owners of a configuration stand.
pub async fn watch(tokens: &Tokens, configuration: &Configuration) -> Result<Vec<Watched>, super::OAuth2Error> {
    let subjects = subjects(configuration);
    let mut watched = Vec::new();
    for row in rows::all(&tokens.store).await? {
        let owner = Owner::of(&row.key);
        let Some(subject) = subjects.get(&owner).filter(|subject| subject.settings() == row.settings) else { continue };
        let end = ends_at(subject, &row);
        let left = end.map(|end| end.saturating_sub(row.now));
        let half_of_age = subject.provider.refresh_token_age.and_then(|age| i64::try_from(age.as_millis() / 2).ok());
        watched.push(Watched {
            refused_for: row.error.as_ref().map(|error| seconds(row.now.saturating_sub(error.since))),
            refresh_token_left: left.map(seconds),
            is_due: left.zip(half_of_age).is_some_and(|(left, half)| left <= half) && row.error.is_none(),
            owner: owner.clone(),
        });
        if let Some(end) = end.filter(|end| warns(*end, row.now)) {
            tracing::warn!(%owner, ends_at = crate::timestamp::rfc3339(end), "a refresh token ends soon; sign in again");
        }
    }
    Ok(watched)
}

impl Tokens {
    /// Uses refresh tokens that nobody used for half their age, and forgets the tokens of owners and settings that are no more.
    pub async fn keep_alive(&self, configuration: &Configuration) -> Result<(), super::OAuth2Error> {
        let subjects = subjects(configuration);
        for row in rows::all(&self.store).await? {
            let owner = Owner::of(&row.key);
            if subjects.get(&owner).is_none_or(|subject| subject.settings() != row.settings) {
                self.sign_out(&owner, "A change of the configuration").await?;
            }
        }
        for watched in watch(self, configuration).await?.into_iter().filter(|watched| watched.is_due) {
            if let Some(subject) = subjects.get(&watched.owner) {
                // What fails is kept in its row and shown.
                let _ = self.bearer(subject, false).await;
            }
        }
        Ok(())
    }
}

fn subjects(configuration: &Configuration) -> BTreeMap<Owner, Subject> {
    let accounts = configuration.accounts.values().filter_map(|account| Subject::account(account).ok()?);
    let transports = configuration.transports.values().filter_map(|transport| Subject::transport(transport).ok()?);
    accounts.chain(transports).map(|subject| (subject.owner.clone(), subject)).collect()
}

fn seconds(milliseconds: i64) -> u64 {
    u64::try_from(milliseconds / 1_000).unwrap_or(0)
}
