//! What is looked after without a fetch or a mail to send: refresh tokens that nobody uses are used before they end,
//! and told of.

use super::state::{ends_at, warns};
use super::subject::subjects;
use super::{OAuth2Error, Owner, Subject, Tokens};
use crate::store::configuration;
use crate::store::oauth2::{self as rows, OAuth2TokenRow};
use postigo_model::communication::Priority;
use postigo_model::configured::Configuration;
use postigo_model::timestamp::rfc3339;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How an owner's tokens stand, for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenWatch {
    /// Whose.
    pub owner: Owner,
    /// Seconds since the provider first refused; 0: it does not.
    pub refused_for: u64,
    /// Seconds until the refresh token ends if it is not used; none: not known, or there is none.
    pub refresh_token_left: Option<u64>,
}

impl Tokens {
    /// How the tokens of all owners of a configuration stand.
    pub async fn watch(&self, configuration: &Configuration) -> Result<Vec<TokenWatch>, OAuth2Error> {
        let subjects = subjects(configuration);
        let (rows, _) = rows::all(&self.store).await?;
        Ok(rows.iter().filter_map(|row| subject_of(&subjects, row).map(|subject| watched(subject, row))).collect())
    }

    /// What of the rows cannot be read, sentences: their owners cannot be signed in, all others can.
    pub async fn unreadable(&self) -> Vec<String> {
        let rows = rows::all(&self.store).await;
        let (_, others) =
            rows.inspect_err(|error| tracing::warn!(%error, "the tokens could not be looked at")).unwrap_or_default();
        others.iter().map(ToString::to_string).collect()
    }

    /// Uses refresh tokens that nobody used for half their age, warns of those that end soon, and forgets the tokens of
    /// owners and settings that are no more.
    pub async fn keep_alive(self: &Arc<Self>) -> Result<(), OAuth2Error> {
        let configuration = configuration::load(&self.store, &self.key).await?;
        let subjects = subjects(&configuration);
        for row in self.readable_rows().await? {
            match subject_of(&subjects, &row) {
                None => self.forget_former(&row).await?,
                // What fails is kept in its row and shown.
                Some(subject) if is_unused(subject, &row) => drop(self.bearer(subject, false).await),
                Some(_) => {}
            }
        }
        for row in rows::all(&self.store).await?.0 {
            let end = subject_of(&subjects, &row).and_then(|subject| ends_at(subject, &row));
            if let Some(end) = end.filter(|end| warns(*end, row.now)) {
                tracing::warn!(owner = %Owner::of(&row.key), ends_at = rfc3339(end), "a refresh token ends soon; sign in again");
            }
        }
        Ok(())
    }

    /// Forgets tokens that nothing uses any more. A person may be signing in for the new settings at this moment.
    async fn forget_former(&self, row: &OAuth2TokenRow) -> Result<(), OAuth2Error> {
        if rows::forget_tokens(&self.store, &row.key, &row.settings).await? {
            let sentence = "Tokens of former settings were forgotten.".to_owned();
            self.tell(&Owner::of(&row.key), Priority::Notice, "oauth2.sign-out", sentence).await;
        }
        Ok(())
    }
}

fn watched(subject: &Subject, row: &OAuth2TokenRow) -> TokenWatch {
    TokenWatch {
        owner: subject.owner.clone(),
        refused_for: row.error.as_ref().map_or(0, |error| seconds(row.now.saturating_sub(error.since))),
        refresh_token_left: ends_at(subject, row).map(|end| seconds(end.saturating_sub(row.now))),
    }
}

/// Whether half of a refresh token's age has passed without use.
fn is_unused(subject: &Subject, row: &OAuth2TokenRow) -> bool {
    let age = subject.provider.refresh_token_age.and_then(|age| i64::try_from(age.as_millis()).ok());
    let end = ends_at(subject, row);
    // An access token from before the disuse has long ended: to ask for one is to use the refresh token.
    age.zip(end).is_some_and(|(age, end)| end.saturating_sub(row.now) <= age / 2)
}

/// The owner that a row belongs to as it is configured now.
fn subject_of<'s>(subjects: &'s BTreeMap<Owner, Subject>, row: &OAuth2TokenRow) -> Option<&'s Subject> {
    subjects.get(&Owner::of(&row.key)).filter(|subject| subject.settings() == row.settings)
}

fn seconds(milliseconds: i64) -> u64 {
    u64::try_from(milliseconds / 1_000).unwrap_or(0)
}
