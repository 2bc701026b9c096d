//! `config apply`: a file becomes the configuration, all of it or nothing.

use super::form::Secrets;
use super::review::review;
use super::{Configuration, CustomerUser, Difference, Draft, File, How, differences};
use crate::chain::LazySandbox;
use crate::secret::SecretKey;
use crate::store::{Store, StoreError, configuration, customers};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// A change that somebody else's overtakes is made anew so many times.
pub const TRIES: usize = 5;

/// Where a configuration is kept, and the sandbox that filters' settings are tried in.
#[derive(Clone, Copy)]
pub struct Place<'p> {
    /// The store.
    pub store: &'p Store,
    /// The key that seals the secrets.
    pub key: &'p SecretKey,
    /// The sandbox.
    pub sandbox: &'p Arc<LazySandbox>,
}

/// What a file changed, or would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// The version of the configuration that has it.
    pub version: i64,
    /// What was not there before.
    pub created: Vec<Difference>,
    /// What is another than before; addresses and accounts that pruning made invalid are among them.
    pub changed: Vec<Difference>,
    /// What pruning removed.
    pub removed: Vec<Difference>,
    /// How many things of the file were as it says already.
    pub unchanged: usize,
}

/// Why a file was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It cannot be read.
    #[error("The file {path} cannot be read: {reason}.")]
    Read {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Its mistakes, `FILE:LINE: key KEY (THING): SENTENCE` each, in the order of the lines.
    #[error("{}", .0.join("\n"))]
    Mistakes(Vec<String>),
    /// The database could not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Applies a file, or, to `check` it, does everything but save.
pub async fn apply(path: &Path, prune: bool, check: bool, place: Place<'_>) -> Result<Applied, ApplyError> {
    let unreadable = |reason: String| ApplyError::Read { path: path.display().to_string(), reason };
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| unreadable(format!("it is not UTF-8 ({error})")))?;
    let file = File::parse(&text);
    let folder = path.parent().unwrap_or(Path::new("."));
    let secrets = Secrets::References(folder.to_owned());
    let mut tries = 0;
    loop {
        tries += 1;
        let before = configuration::load(place.store, place.key).await?;
        let draft = checked(&file, path, &before, &secrets, prune, place).await?;
        let (customers, mut applied) = compare(&before, &draft, place.store).await?;
        if check {
            return Ok(applied);
        }
        match configuration::save(place.store, place.key, &before, &draft.configuration, customers).await {
            Err(StoreError::Conflict(_)) if tries < TRIES => {}
            saved => {
                applied.version = saved?;
                return Ok(applied);
            }
        }
    }
}

/// The draft of a file without mistakes.
async fn checked(
    file: &File,
    path: &Path,
    before: &Configuration,
    secrets: &Secrets,
    prune: bool,
    place: Place<'_>,
) -> Result<Draft, ApplyError> {
    let mut draft = Draft::of(&file.root, before, secrets);
    if prune {
        draft.prune();
    }
    let breaches = review(before, &draft.configuration, place.store, place.sandbox).await?;
    draft.add(breaches);
    let mistakes = file.tell(&path.display().to_string(), &draft.problems);
    if mistakes.is_empty() { Ok(draft) } else { Err(ApplyError::Mistakes(mistakes)) }
}

/// What differs, and the customer users that are to be saved.
async fn compare(before: &Configuration, draft: &Draft, store: &Store) -> Result<(Vec<CustomerUser>, Applied), StoreError> {
    let mut applied = Applied { version: before.version, ..Applied::default() };
    let mut found = differences(before, &draft.configuration);
    let stored = customers::by_logins(store, draft.customers.keys().map(String::as_str)).await?;
    let mut changed = Vec::new();
    for customer in draft.customers.values() {
        let earlier = stored.iter().find(|stored| stored.login == customer.login);
        if earlier != Some(customer) {
            let how = if earlier.is_none() { How::Created } else { How::Changed };
            found.push(Difference { how, kind: "customer_user", name: customer.login.clone() });
            changed.push(customer.clone());
        }
    }
    let differs = |kind: &str, name: &str| found.iter().any(|difference| difference.kind == kind && difference.name == name);
    applied.unchanged = draft.places.keys().filter(|(kind, name)| !differs(kind, name)).count();
    for difference in found {
        match difference.how {
            How::Created => applied.created.push(difference),
            How::Changed => applied.changed.push(difference),
            How::Removed => applied.removed.push(difference),
        }
    }
    Ok((changed, applied))
}
