//! What accounts and transports sign in with, whichever way it came about.

use super::{Credentials, OAuth2Error, Owner};
use crate::config::{Account, Secret, Transport};
use crate::secret::SecretKey;
use crate::store::Store;
use std::sync::Arc;

/// The credentials of every account and transport; access tokens are cached and renewed here.
#[derive(Debug)]
pub struct Tokens {
    #[expect(dead_code, reason = "used by the next change")]
    store: Store,
    #[expect(dead_code, reason = "used by the next change")]
    key: SecretKey,
}

impl Tokens {
    /// Tokens that are kept in `store`, sealed by `key`.
    pub fn new(store: Store, key: SecretKey) -> Arc<Self> {
        Arc::new(Self { store, key })
    }

    /// What an account signs in with.
    pub async fn for_account(&self, account: &Account) -> Result<Credentials, OAuth2Error> {
        match &account.oauth2 {
            Some(_) => Err(OAuth2Error::NotSignedIn { owner: Owner::Account(account.name.clone()) }),
            None => Ok(by_password(&account.user, account.password.as_ref())),
        }
    }

    /// What a transport signs in with.
    pub async fn for_transport(&self, transport: &Transport) -> Result<Credentials, OAuth2Error> {
        match &transport.oauth2 {
            Some(_) => Err(OAuth2Error::NotSignedIn { owner: Owner::Transport(transport.name.clone()) }),
            None => Ok(by_password(&transport.user, transport.password.as_ref())),
        }
    }

    /// The server refused the access token: it is forgotten, and the next one is asked for anew.
    pub async fn refused(&self, _owner: &Owner) {}
}

fn by_password(user: &str, password: Option<&Secret>) -> Credentials {
    match password {
        None if user.is_empty() => Credentials::None,
        password => Credentials::Password { user: user.to_owned(), password: password.cloned().unwrap_or_default() },
    }
}
