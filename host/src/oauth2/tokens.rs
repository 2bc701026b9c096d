//! What accounts and transports sign in with, whichever way it came about.

use super::grant::ProviderGrant;
use super::provider::Flow;
use super::subject::subjects;
use super::{OAuth2Error, Owner, Subject, http};
use crate::commlog::Communication;
use crate::secret_key::{SecretError, SecretKey};
use crate::store::oauth2::{self as rows, NewTokens, OAuth2TokenRow, TokenOwner};
use crate::store::{Store, StoreError, communications};
use postigo_model::communication::{CommunicationKind, Priority};
use postigo_model::configured::{Account, Configuration, Secret, Transport};
use postigo_net::credentials::Credentials;
use postigo_net::waiting::waits_for;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// A renewal ends in this time, or is taken up by others.
const CLAIM_LASTS: Duration = http::WITHIN.saturating_add(Duration::from_secs(15));
/// So often is looked whether another's renewal has ended.
const CLAIM_WATCHED: Duration = Duration::from_millis(200);
/// An access token is renewed so long before its end, at least and at most: hosts and accounts must not all ask at
/// once.
const MARGIN: std::ops::Range<u64> = 60_000..300_000;
/// An access token that a server refuses is renewed only if it is this old: a server that refuses every token must not
/// cost the provider a request each time.
const REFUSED_AGE: Duration = Duration::from_mins(5);

/// The credentials of every account and transport. Access tokens are kept and renewed here.
#[derive(Debug)]
pub struct Tokens {
    pub(super) store: Store,
    pub(super) key: SecretKey,
    /// One renewal at a time in this process, so that others wait without asking the database.
    gates: Mutex<HashMap<Owner, Arc<tokio::sync::Mutex<()>>>>,
    /// The client's secret at the last refusal: another one is tried at once.
    pub(super) refused_secrets: Mutex<HashMap<Owner, Option<Secret>>>,
    /// Renewals under way.
    pub(super) renewals: TaskTracker,
}

/// What a row of tokens calls for.
pub(super) enum TokenNeed {
    Use(Secret),
    Fail(OAuth2Error),
    /// `still` is an access token that has not ended yet.
    Renew {
        refresh_token: Option<Secret>,
        still: Option<Secret>,
    },
}

impl Tokens {
    /// Tokens that are kept in `store`, sealed by `key`.
    pub fn new(store: Store, key: SecretKey) -> Arc<Self> {
        Arc::new(Self {
            store,
            key,
            gates: Mutex::default(),
            refused_secrets: Mutex::default(),
            renewals: TaskTracker::new(),
        })
    }

    /// What an account signs in with.
    pub async fn for_account(self: &Arc<Self>, account: &Account) -> Result<Credentials, OAuth2Error> {
        match Subject::account(account)? {
            Some(subject) => self.bearer(&subject, false).await,
            None => Ok(by_password(&account.user, account.password.as_ref())),
        }
    }

    /// The same, asking the provider even where a pause after its refusal is not over: somebody waits and wants to
    /// know.
    pub async fn for_account_now(self: &Arc<Self>, account: &Account) -> Result<Credentials, OAuth2Error> {
        match Subject::account(account)? {
            Some(subject) => self.bearer(&subject, true).await,
            None => Ok(by_password(&account.user, account.password.as_ref())),
        }
    }

    /// What a transport signs in with.
    pub async fn for_transport(self: &Arc<Self>, transport: &Transport) -> Result<Credentials, OAuth2Error> {
        match Subject::transport(transport)? {
            Some(subject) => self.bearer(&subject, false).await,
            None => Ok(by_password(&transport.user, transport.password.as_ref())),
        }
    }

    /// The same, asking the provider even where a pause after its refusal is not over.
    pub async fn for_transport_now(self: &Arc<Self>, transport: &Transport) -> Result<Credentials, OAuth2Error> {
        match Subject::transport(transport)? {
            Some(subject) => self.bearer(&subject, true).await,
            None => Ok(by_password(&transport.user, transport.password.as_ref())),
        }
    }

    /// A server refused the access token: it is forgotten, unless the provider has only just given it.
    pub async fn refused(&self, owner: &Owner) {
        match rows::forget_access(&self.store, &owner.key(), REFUSED_AGE).await {
            Ok(true) => tracing::info!(%owner, "the server refused the access token; it will be renewed"),
            Ok(false) => tracing::debug!(%owner, "the server refused a new access token; it is kept for now"),
            Err(error) => tracing::warn!(%owner, %error, "a refused access token could not be forgotten"),
        }
    }

    /// An access token that lasts, renewed if need be.
    pub(super) async fn bearer(self: &Arc<Self>, subject: &Subject, now: bool) -> Result<Credentials, OAuth2Error> {
        let gate = Arc::clone(locked(&self.gates).entry(subject.owner.clone()).or_default());
        let _one_at_a_time = gate.lock().await;
        let (key, settings) = (subject.owner.key(), subject.settings());
        let now = now || self.has_new_secret(subject);
        let end = tokio::time::Instant::now() + 2 * CLAIM_LASTS;
        waits_for(|| format!("an access token of the {}", subject.owner));
        while tokio::time::Instant::now() < end {
            let row = rows::find(&self.store, &key).await?.filter(|row| row.settings == settings);
            let still = match self.next(subject, row.as_ref(), now)? {
                TokenNeed::Use(token) => return Ok(credentials(subject, token)),
                TokenNeed::Fail(error) => return Err(error),
                TokenNeed::Renew { still, .. } => still,
            };
            let claim = uuid::Uuid::now_v7().to_string();
            if rows::claim(&self.store, &key, &settings, &claim, CLAIM_LASTS).await? {
                if let Some(token) = self.renew(subject, claim, now).await? {
                    return Ok(credentials(subject, token));
                }
            } else if let Some(token) = still {
                return Ok(credentials(subject, token));
            } else {
                // Another process renews it, and the database is all that processes share.
                tokio::time::sleep(CLAIM_WATCHED).await;
            }
        }
        Err(OAuth2Error::Busy(subject.owner.clone()))
    }

    /// What a row calls for; `now`: whatever the provider refused before.
    pub(super) fn next(
        &self,
        subject: &Subject,
        row: Option<&OAuth2TokenRow>,
        now: bool,
    ) -> Result<TokenNeed, OAuth2Error> {
        let owner = &subject.owner;
        let by_itself = subject.flow() == Flow::ClientCredentials;
        let refresh_token = match row.and_then(|row| row.refresh_token.as_ref()) {
            Some(sealed) if !by_itself => Some(self.open(subject, "refresh", sealed)?),
            _ => None,
        };
        let Some(row) = row.filter(|row| by_itself || row.refresh_token.is_some()) else {
            return Ok(if by_itself { TokenNeed::Renew { refresh_token, still: None } } else { not_signed_in(owner) });
        };
        let still = match (&row.access_token, row.expires_at) {
            (Some(sealed), Some(end)) if row.now < end => Some(self.open(subject, "access", sealed)?),
            _ => None,
        };
        let is_due = row.renew_at.is_none_or(|at| at <= row.now);
        let pauses = !now && row.error.as_ref().is_some_and(|error| error.is_final || row.now < error.next_try_at);
        Ok(match (still, &row.error) {
            (Some(token), _) if !is_due || pauses => TokenNeed::Use(token),
            (None, Some(error)) if pauses => {
                TokenNeed::Fail(OAuth2Error::Refused { owner: owner.clone(), error: error.clone() })
            }
            (still, _) => TokenNeed::Renew { refresh_token, still },
        })
    }

    /// Writes a communication of one entry. A log that cannot be written must not stop mail that can.
    pub(super) async fn tell(&self, owner: &Owner, priority: Priority, key: &str, sentence: String) {
        let log = Communication::start(CommunicationKind::Connection, owner.name(), "oauth2");
        let mut log = if matches!(owner, Owner::Transport(_)) { log.outgoing() } else { log };
        log.searchable(owner.name());
        log.entry(priority, key, format!("For the {owner}: {sentence}"));
        let record = log.finish(priority == Priority::Error);
        let saved =
            self.store.write(record, |record, connection| Box::pin(communications::save(connection, record))).await;
        if let Err(error) = saved {
            tracing::warn!(%owner, %error, "the communication log could not be written");
        }
    }

    fn has_new_secret(&self, subject: &Subject) -> bool {
        locked(&self.refused_secrets).get(&subject.owner).is_some_and(|tried| *tried != subject.client_secret)
    }

    pub(super) fn seal(&self, subject: &Subject, granted: &ProviderGrant) -> Result<NewTokens, OAuth2Error> {
        let settings = subject.settings();
        let seal =
            |what: &str, token: &Secret| self.key.seal_for(&place(&subject.owner, what), &settings, token.reveal());
        let lasts = granted.lasts;
        Ok(NewTokens {
            access_token: seal("access", &granted.access_token)?,
            refresh_token: granted.refresh_token.as_ref().map(|token| seal("refresh", token)).transpose()?,
            lasts,
            // A token that lasts for minutes only is used for most of them.
            renew_after: lasts.saturating_sub(margin().min(lasts / 4)),
        })
    }

    fn open(&self, subject: &Subject, what: &str, sealed: &str) -> Result<Secret, OAuth2Error> {
        Ok(Secret::new(self.key.open_for(&place(&subject.owner, what), &subject.settings(), sealed)?))
    }

    /// The rows that can be read; of the others the log tells.
    pub(super) async fn readable_rows(&self) -> Result<Vec<OAuth2TokenRow>, StoreError> {
        let (rows, others) = rows::all(&self.store).await?;
        for error in others {
            tracing::error!(%error, "an account or transport cannot be signed in; the others go on");
        }
        Ok(rows)
    }

    /// Seals tokens that an earlier version sealed for their owner alone anew, for the server that they go to now. To
    /// be done before anybody can change where that is.
    pub async fn bind(&self, configuration: &Configuration) -> Result<(), OAuth2Error> {
        let subjects = subjects(configuration);
        for row in self.readable_rows().await? {
            let subject =
                subjects.get(&Owner::of(&row.key)).filter(|subject| row.settings == subject.former_settings());
            let Some(subject) = subject else { continue };
            let bind = |what: &str, sealed: &Option<String>| -> Result<Option<String>, SecretError> {
                let Some(sealed) = sealed else { return Ok(None) };
                let place = place(&subject.owner, what);
                self.key.seal_for(&place, &subject.settings(), &self.key.open(&place, sealed)?).map(Some)
            };
            match (bind("access", &row.access_token), bind("refresh", &row.refresh_token)) {
                (Ok(access), Ok(refresh)) => {
                    rows::bind(&self.store, &row, &subject.settings(), access, refresh).await?;
                }
                (Err(error), _) | (_, Err(error)) => {
                    tracing::warn!(owner = %subject.owner, %error, "its tokens do not open; sign in again");
                }
            }
        }
        Ok(())
    }
}

fn place(owner: &Owner, what: &str) -> String {
    format!("{} {}, oauth2 {what} token", owner.kind(), owner.name())
}

fn not_signed_in(owner: &Owner) -> TokenNeed {
    TokenNeed::Fail(OAuth2Error::NotSignedIn { owner: owner.clone() })
}

fn credentials(subject: &Subject, token: Secret) -> Credentials {
    Credentials::Bearer { user: subject.user.clone(), token }
}

fn by_password(user: &str, password: Option<&Secret>) -> Credentials {
    match password {
        None if user.is_empty() => Credentials::None,
        password => Credentials::Password { user: user.to_owned(), password: password.cloned().unwrap_or_default() },
    }
}

/// A panic while the lock was held leaves a map that is as good as before.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn margin() -> Duration {
    Duration::from_millis(MARGIN.start + random(MARGIN.end - MARGIN.start))
}

/// Below `end`. Where the system gives no random bytes, the middle is as good.
pub(super) fn random(end: u64) -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes) % end.max(1),
        Err(_) => end / 2,
    }
}

/// Whether a row of this key belongs to a subject of these settings.
pub(super) async fn row_of(store: &Store, subject: &Subject) -> Result<Option<OAuth2TokenRow>, OAuth2Error> {
    let key: TokenOwner = subject.owner.key();
    Ok(rows::find(store, &key).await?.filter(|row| row.settings == subject.settings()))
}
