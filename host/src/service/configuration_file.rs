//! The configuration as a file: it becomes the configuration, all of it or nothing; and the configuration is written as
//! one.

use super::saving::Tries;
use super::{ServiceError, configured};
use crate::config::{
    self, ConfigurationFile, ConfigurationPlace, Difference, DifferenceKind, Draft, differences, given_or_named, review,
};
use crate::secret_key::SecretKey;
use crate::store::configuration::{self, LostSecret};
use crate::store::{Store, StoreError, customers};
use postigo_files::regular_file::read_at_most;
use postigo_model::configured::form::{ConfiguredKind, LoadedKind};
use postigo_model::configured::{Breach, Configuration, CustomerUser, KindVisitor, visit_kinds};
use serde::Serialize;
use serde_json::Value;
use std::path::Path;

/// What a file changed, or would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AppliedFile {
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

/// A configuration file has at most so many bytes: 64 MiB.
const LARGEST_FILE: u64 = 64 << 20;

/// The file's bytes; `-` is standard input.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path == Path::new("-") {
        return read_at_most(std::io::stdin().lock(), LARGEST_FILE);
    }
    read_at_most(std::fs::File::open(path)?, LARGEST_FILE)
}

/// Applies a file, or, to `check` it, does everything but save.
pub async fn apply(
    path: &Path,
    prune: bool,
    check: bool,
    place: ConfigurationPlace<'_>,
) -> Result<AppliedFile, ServiceError> {
    let unreadable = |reason: String| ServiceError::Unreadable { path: path.display().to_string(), reason };
    let bytes = read(path).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| unreadable(format!("it is not UTF-8 ({error})")))?;
    let file = ConfigurationFile::parse(&text);
    let folder = path.parent().unwrap_or(Path::new("."));
    let secrets = |value: &Value| given_or_named(value, folder);
    let mut tries = Tries::default();
    loop {
        let (before, lost) = configuration::load_what_opens(place.store, place.key).await?;
        let mut draft = Draft::of(&file.root, &before, &secrets);
        if prune {
            draft.prune();
        }
        draft.add(still_lost(&draft, &lost));
        let breaches = review(&before, &mut draft.configuration, place.store, &place.asked()).await?;
        draft.add(breaches);
        let mistakes = file.tell(&path.display().to_string(), &draft.problems);
        if !mistakes.is_empty() {
            return Err(ServiceError::FileMistakes(mistakes));
        }
        let (customers, mut applied) = compare(&before, &draft, place.store).await?;
        if check {
            return Ok(applied);
        }
        if let Some(version) = tries.save(place, &before, &draft.configuration, customers).await? {
            applied.version = version;
            return Ok(applied);
        }
    }
}

/// The configuration written as a file.
pub struct ExportedFile {
    /// The version of the configuration.
    pub version: i64,
    /// TOML, without secrets.
    pub toml: String,
}

/// Customer users are read in pages of so many.
const PAGE: i64 = 1_000;

/// Writes the configuration as a file that [`apply`] takes, without its secrets.
pub async fn export(store: &Store, key: &SecretKey) -> Result<ExportedFile, ServiceError> {
    let configuration = configured::load(store, key).await?;
    let mut users: Vec<CustomerUser> = Vec::new();
    loop {
        let after = users.last().map(|user| user.login.clone()).unwrap_or_default();
        let page = customers::list(store, &after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        users.extend(page);
    }
    Ok(ExportedFile { version: configuration.version, toml: config::export(&configuration, &users) })
}

/// The secrets that the key does not open and that the file does not set again. To save without them would lose them
/// for the right key.
fn still_lost(draft: &Draft, lost: &[LostSecret]) -> Vec<Breach> {
    lost.iter()
        .filter(|lost| !draft.secrets.contains(&(lost.kind, lost.name.clone(), lost.field)))
        .filter(|lost| {
            let mut search = Search { after: &draft.configuration, lost, is_missing: false };
            visit_kinds(&mut search);
            search.is_missing
        })
        .map(|lost| Breach {
            kind: lost.kind,
            name: lost.name.clone(),
            place: format!("/{}", lost.field.replace('.', "/")),
            sentence: lost.error.to_string(),
        })
        .collect()
}

/// Looks whether a thing still lacks a secret.
struct Search<'s> {
    after: &'s Configuration,
    lost: &'s LostSecret,
    is_missing: bool,
}

impl KindVisitor for Search<'_> {
    fn loaded<K: LoadedKind>(&mut self) {
        if K::KIND == self.lost.kind {
            let thing = K::all(self.after).get(&self.lost.name).cloned();
            let lacks = |mut thing: K| {
                thing.secrets().iter().any(|(field, secret)| *field == self.lost.field && secret.is_none())
            };
            self.is_missing = thing.is_some_and(lacks);
        }
    }

    /// They have no secrets.
    fn looked_up<K: ConfiguredKind>(&mut self) {}
}

/// What differs, and the customer users that are to be saved.
async fn compare(
    before: &Configuration,
    draft: &Draft,
    store: &Store,
) -> Result<(Vec<CustomerUser>, AppliedFile), StoreError> {
    let mut applied = AppliedFile { version: before.version, ..AppliedFile::default() };
    let mut found = differences(before, &draft.configuration);
    let stored = customers::by_logins(store, draft.customers.keys().map(String::as_str)).await?;
    let mut changed = Vec::new();
    for customer in draft.customers.values() {
        let earlier = stored.iter().find(|stored| stored.login == customer.login);
        if earlier != Some(customer) {
            let how = if earlier.is_none() { DifferenceKind::Created } else { DifferenceKind::Changed };
            found.push(Difference { how, kind: CustomerUser::KIND, name: customer.login.clone() });
            changed.push(customer.clone());
        }
    }
    let differs =
        |kind: &str, name: &str| found.iter().any(|difference| difference.kind == kind && difference.name == name);
    applied.unchanged = draft.places.keys().filter(|(kind, name)| !differs(kind, name)).count();
    for difference in found {
        match difference.how {
            DifferenceKind::Created => applied.created.push(difference),
            DifferenceKind::Changed => applied.changed.push(difference),
            DifferenceKind::Removed => applied.removed.push(difference),
        }
    }
    Ok((changed, applied))
}
