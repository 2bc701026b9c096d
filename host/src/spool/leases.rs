//! Leases: one host works on an account's messages at a time.

pub use crate::store::claims::{LEASE, RENEWED};
use crate::store::leases::take;
pub use crate::store::leases::{Host, Lease, holder, in_force, is_held, release, renew};
use crate::store::{Engine, Store, StoreError};

/// Takes the leases of these accounts that are free, have run out, are held already, or were held by an earlier run of
/// this host. What a former holder had claimed waits again, each message for a process of its own. Gives those that are
/// held now.
pub async fn acquire(store: &Store, host: &Host, accounts: &[String]) -> Result<Vec<Lease>, StoreError> {
    let asked: (Engine, Host, Vec<String>) = (store.engine(), host.clone(), accounts.to_vec());
    store
        .write(asked, |(engine, host, accounts), connection| {
            Box::pin(async move {
                let mut leases = Vec::new();
                for account in accounts {
                    if take(connection, *engine, host, account).await? {
                        leases.push(Lease { account: account.clone(), host: host.clone() });
                    }
                }
                Ok(leases)
            })
        })
        .await
}
