//! Which accounts this daemon works on: a fair share of all, by leases, while other daemons are there; what they had,
//! once they are gone.

use crate::spool::leases::{self, Host};
use crate::store::{Store, StoreError};
use postigo_supervision::{SupervisedTask, WorkKind};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// So often is looked for accounts that are free.
const LOOKS_EVERY: Duration = Duration::from_secs(2);
/// The longest pause after a failure: well below the time that a lease lasts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A daemon shows the others that it is there by a lease of this name, followed by its id. No account's name begins so.
const PRESENCE: &str = "\u{1}daemon/";

/// The accounts that are held now; a change of the set wakes those who watch it.
pub type HeldAccounts = Arc<BTreeSet<String>>;

/// Keeps the leases of this daemon.
#[derive(Debug)]
pub struct Shares {
    store: Store,
    host: Host,
    held: watch::Sender<HeldAccounts>,
    renewed: Instant,
}

/// What a look at the leases in force leads to.
#[derive(Debug, PartialEq, Eq)]
enum ShareStep {
    /// Take these: they are free.
    Take(Vec<String>),
    /// Give these back: others are there and have less.
    GiveBack(Vec<String>),
}

impl Shares {
    /// Nothing is held yet.
    pub fn new(store: Store, host: Host) -> Self {
        Self { store, host, held: watch::Sender::new(HeldAccounts::default()), renewed: Instant::now() }
    }

    /// The accounts held, now and as they change.
    pub fn watch(&self) -> watch::Receiver<HeldAccounts> {
        self.held.subscribe()
    }

    /// Takes, renews and gives back until `stop`; `accounts` are those that exist at each moment.
    pub async fn keep(mut self, accounts: impl Fn() -> Vec<String>, stop: CancellationToken) {
        let supervised = SupervisedTask::new(WorkKind::Leases, "", stop.clone()).resting_at_most(LONGEST_PAUSE);
        let mut failures = 0_u32;
        while !stop.is_cancelled() {
            let looked = async {
                let accounts = accounts();
                self.look(&accounts).await
            };
            let Ok(looked) = supervised.round(looked).await else {
                self.forget_expired();
                continue;
            };
            let pause = match looked {
                Ok(()) => {
                    failures = 0;
                    LOOKS_EVERY
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(%error, "the leases of accounts could not be looked after");
                    self.forget_expired();
                    postigo_supervision::back_off::after_failures(failures, Duration::from_secs(1), LONGEST_PAUSE)
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn look(&mut self, accounts: &[String]) -> Result<(), StoreError> {
        if self.renewed.elapsed() >= leases::RENEWED || self.held.borrow().is_empty() {
            let asked = Instant::now();
            let kept: BTreeSet<String> = leases::renew(&self.store, &self.host).await?.into_iter().collect();
            self.renewed = asked;
            let lost: Vec<String> =
                self.held.borrow().iter().filter(|account| !kept.contains(*account)).cloned().collect();
            if !lost.is_empty() {
                tracing::warn!(
                    accounts = lost.join(", "),
                    "accounts were taken over by another daemon: this one was away for too long"
                );
            }
            self.set(|held| held.retain(|account| kept.contains(account)));
        }
        let presence = vec![format!("{PRESENCE}{}", self.host.id)];
        let in_force = leases::in_force(&self.store).await?;
        if !in_force.iter().any(|(name, _)| *name == presence[0]) {
            leases::acquire(&self.store, &self.host, &presence).await?;
        }
        let held = self.held.borrow().clone();
        match step(&self.host.id, accounts, &held, &in_force) {
            ShareStep::Take(free) if free.is_empty() => {}
            ShareStep::Take(free) => {
                let taken: Vec<String> = leases::acquire(&self.store, &self.host, &free)
                    .await?
                    .into_iter()
                    .map(|lease| lease.account)
                    .collect();
                if !taken.is_empty() {
                    tracing::info!(accounts = taken.join(", "), "took accounts");
                }
                self.set(|held| held.extend(taken));
            }
            ShareStep::GiveBack(surplus) => {
                tracing::info!(accounts = surplus.join(", "), "gives accounts to another daemon");
                // First nobody here works on them, then others may.
                self.set(|held| held.retain(|account| !surplus.contains(account)));
                leases::release(&self.store, &self.host, &surplus).await?;
            }
        }
        Ok(())
    }

    /// Without the database nothing is renewed: after the time of a lease others may have what was held.
    fn forget_expired(&self) {
        if self.renewed.elapsed() >= leases::LEASE.lasts {
            self.set(BTreeSet::clear);
        }
    }

    fn set(&self, change: impl FnOnce(&mut BTreeSet<String>)) {
        self.held.send_if_modified(|held| {
            let mut changed = (**held).clone();
            change(&mut changed);
            if changed == **held {
                return false;
            }
            *held = Arc::new(changed);
            true
        });
    }
}

fn step(me: &str, accounts: &[String], held: &BTreeSet<String>, in_force: &[(String, String)]) -> ShareStep {
    let others: BTreeSet<&str> = in_force
        .iter()
        .filter(|(name, host)| name.starts_with(PRESENCE) && host != me)
        .map(|(_, host)| host.as_str())
        .collect();
    let share = accounts.len().div_ceil(others.len() + 1);
    if held.len() > share {
        return ShareStep::GiveBack(held.iter().skip(share).cloned().collect());
    }
    let elsewhere: BTreeSet<&str> =
        in_force.iter().filter(|(_, host)| host != me).map(|(name, _)| name.as_str()).collect();
    let free = accounts.iter().filter(|name| !held.contains(*name) && !elsewhere.contains(name.as_str()));
    ShareStep::Take(free.take(share - held.len()).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn in_force(leases: &[(&str, &str)]) -> Vec<(String, String)> {
        leases.iter().map(|(name, host)| ((*name).to_owned(), (*host).to_owned())).collect()
    }

    #[test]
    fn alone_it_takes_all() {
        let taken = step("me", &names(&["a", "b", "c"]), &BTreeSet::new(), &in_force(&[("\u{1}daemon/me", "me")]));
        assert_eq!(taken, ShareStep::Take(names(&["a", "b", "c"])));
    }

    #[test]
    fn beside_another_it_keeps_half_and_takes_what_is_free() {
        let accounts = names(&["a", "b", "c", "d", "e"]);
        let there =
            in_force(&[("\u{1}daemon/you", "you"), ("a", "me"), ("b", "me"), ("c", "me"), ("d", "me"), ("e", "me")]);
        assert_eq!(
            step("me", &accounts, &accounts.iter().cloned().collect(), &there),
            ShareStep::GiveBack(names(&["d", "e"]))
        );
        let there = in_force(&[("\u{1}daemon/me", "me"), ("a", "me"), ("b", "me"), ("c", "me")]);
        assert_eq!(step("you", &accounts, &BTreeSet::new(), &there), ShareStep::Take(names(&["d", "e"])));
    }

    #[test]
    fn of_one_that_is_gone_it_takes_over_all() {
        let accounts = names(&["a", "b", "c"]);
        assert_eq!(
            step("me", &accounts, &names(&["a"]).into_iter().collect(), &in_force(&[("a", "me")])),
            ShareStep::Take(names(&["b", "c"]))
        );
    }
}
