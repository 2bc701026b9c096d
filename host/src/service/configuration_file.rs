//! The configuration as a file: it becomes the configuration, all of it or nothing; and the configuration is written as
//! one.

use super::saving::Tries;
use super::{ServiceError, configured};
use crate::config::{
    self, ConfigurationFile, ConfigurationPlace, Difference, DifferenceKind, Draft, Review, differences,
    given_or_named, review,
};
use crate::secret_key::SecretKey;
use crate::store::configuration::{self, LostSecret};
use crate::store::{Store, StoreError, customers};
use postigo_files::regular_file::read_at_most;
use postigo_model::configured::form::{ConfigurationMistake, ConfiguredKind, LoadedKind, in_clear};
use postigo_model::configured::{Breach, Configuration, CustomerUser, KindVisitor, visit_kinds};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What files changed, or would change.
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
    /// How many things of the files were as they say already.
    pub unchanged: usize,
    /// What is saved, and worth a second look: `FILE:LINE: …`.
    pub warnings: Vec<String>,
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

/// A file that is to be applied.
struct GivenFile {
    /// As it was named.
    path: String,
    /// What its relative paths begin at.
    folder: PathBuf,
    file: ConfigurationFile,
}

impl GivenFile {
    fn read(path: &Path) -> Result<Self, ServiceError> {
        let unreadable = |reason: String| ServiceError::Unreadable { path: path.display().to_string(), reason };
        let bytes = read(path).map_err(|error| unreadable(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|error| unreadable(format!("it is not UTF-8 ({error})")))?;
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Self { path: path.display().to_string(), folder, file: ConfigurationFile::parse(&text) })
    }
}

/// Applies files as one, or, to `check` them, does everything but save.
pub async fn apply(
    paths: &[PathBuf],
    prune: bool,
    check: bool,
    place: ConfigurationPlace<'_>,
) -> Result<AppliedFile, ServiceError> {
    let files = paths.iter().map(|path| GivenFile::read(path)).collect::<Result<Vec<_>, _>>()?;
    let actor = place.actor.clone().by_file();
    let place = ConfigurationPlace { actor: &actor, ..place };
    let mut tries = Tries::default();
    loop {
        let (before, lost) = configuration::load_what_opens(place.store, place.key).await?;
        let mut drafts = FileDrafts::of(&files, &before);
        if prune {
            drafts.prune();
        }
        let still_lost = still_lost(&drafts, &lost);
        drafts.add(still_lost);
        let Review { mistakes, mut warnings } = review(&before, &mut drafts.last.configuration, place).await?;
        drafts.add(mistakes);
        let mistakes = drafts.tell();
        if !mistakes.is_empty() {
            return Err(ServiceError::FileMistakes(mistakes));
        }
        warnings.append(&mut drafts.warnings);
        let (customers, mut applied) = compare(&before, &drafts, place.store).await?;
        drafts.add(warnings);
        applied.warnings = drafts.tell();
        if check {
            return Ok(applied);
        }
        if let Some(version) = tries.save(place, &before, &drafts.last.configuration, customers).await? {
            applied.version = version.number;
            return Ok(applied);
        }
    }
}

/// What the configuration will be once several files are applied to it, one after the other.
struct FileDrafts<'f> {
    files: &'f [GivenFile],
    /// The mistakes of each file, and where it names things.
    told: Vec<(Vec<ConfigurationMistake>, Places)>,
    /// What is worth a second look, of the files that they name.
    warnings: Vec<Breach>,
    /// What all of them make.
    last: Draft,
}

/// Where a file names a thing: kind and name → JSON Pointer.
type Places = HashMap<(&'static str, String), String>;

impl<'f> FileDrafts<'f> {
    fn of(files: &'f [GivenFile], before: &Configuration) -> Self {
        let mut drafts =
            Self { files, told: Vec::new(), warnings: Vec::new(), last: Draft::of(&Map::new(), before, &in_clear) };
        for given in files {
            let secrets = |value: &Value| given_or_named(value, &given.folder);
            let mut draft = Draft::of(&given.file.root, &drafts.last.configuration, &secrets);
            let places = draft.places.clone();
            let is_named = |kind: &'static str, name: &str| places.contains_key(&(kind, name.to_owned()));
            drafts.warnings.extend(config::settle_files(&mut draft.configuration, &given.folder, is_named));
            for ((kind, name), pointer) in &places {
                if let Some(earlier) = drafts.last.places.get(&(*kind, name.clone())).filter(|_| *kind != "settings") {
                    let file = drafts.file_of(kind, name, earlier);
                    let sentence = format!("the {} \"{name}\" is in {file} already.", kind.replace('_', " "));
                    draft.problems.push(ConfigurationMistake { pointer: pointer.clone(), sentence });
                }
            }
            drafts.told.push((std::mem::take(&mut draft.problems), places));
            draft.places.extend(drafts.last.places);
            draft.secrets.extend(drafts.last.secrets);
            draft.customers.extend(drafts.last.customers);
            drafts.last = draft;
        }
        drafts
    }

    /// The file that names a thing, and the line.
    fn file_of(&self, kind: &'static str, name: &str, pointer: &str) -> String {
        let naming = self.files.iter().zip(&self.told);
        let found = naming.into_iter().find(|(_, (_, places))| places.contains_key(&(kind, name.to_owned())));
        found.map(|(given, _)| format!("{}:{}", given.path, given.file.line(pointer))).unwrap_or_default()
    }

    fn prune(&mut self) {
        self.last.prune();
    }

    /// Adds what is wrong with things to what is told of the file that names them; of what no file names, to the first.
    /// Of a place that could not be read, nothing follows.
    fn add(&mut self, breaches: Vec<Breach>) {
        let told = |(problems, _): &(Vec<ConfigurationMistake>, Places)| -> HashSet<String> {
            problems.iter().map(|problem| problem.pointer.clone()).filter(|pointer| !pointer.is_empty()).collect()
        };
        let told: Vec<HashSet<String>> = self.told.iter().map(told).collect();
        for breach in breaches {
            let key = (breach.kind, breach.name.clone());
            let named = self.told.iter().position(|(_, places)| places.contains_key(&key));
            let pointer = named.and_then(|index| self.told.get(index)?.1.get(&key).cloned());
            let mistake = match pointer {
                Some(pointer) => {
                    ConfigurationMistake { pointer: format!("{pointer}{}", breach.place), sentence: breach.sentence }
                }
                None => ConfigurationMistake { pointer: String::new(), sentence: breach.to_string() },
            };
            let index = named.unwrap_or_default();
            let is_told = told.get(index).is_some_and(|told| told.contains(&mistake.pointer));
            if let Some((problems, _)) = self.told.get_mut(index).filter(|_| !is_told) {
                problems.push(mistake);
            }
        }
    }

    fn tell(&self) -> Vec<String> {
        let told = self.files.iter().zip(&self.told);
        told.flat_map(|(given, (problems, _))| given.file.tell(&given.path, problems)).collect()
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
    Ok(ExportedFile { version: configuration.version.number, toml: config::export(&configuration, &users) })
}

/// The secrets that the key does not open and that the file does not set again. To save without them would lose them
/// for the right key.
fn still_lost(drafts: &FileDrafts<'_>, lost: &[LostSecret]) -> Vec<Breach> {
    let draft = &drafts.last;
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
    drafts: &FileDrafts<'_>,
    store: &Store,
) -> Result<(Vec<CustomerUser>, AppliedFile), StoreError> {
    let draft = &drafts.last;
    let mut applied = AppliedFile { version: before.version.number, ..AppliedFile::default() };
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
