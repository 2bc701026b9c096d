//! Versions of what is configured: listed, shown, compared, made anew.
//!
//! To restore a version is a change like any other: it is held to the rules, makes a version more, and takes nothing away.
//! Secrets are in no version: a thing keeps those that it has, and is told of those that it lacks.

mod document;

pub use document::{ATTRIBUTION, Attributed, Comparison, VersionDocument, VersionWithThing, without_attribution};

use super::configured::{
    self, Editor, GivenKeys, Object, SavedChange, change_given, given, in_stored_spelling, kept_name, put,
};
use super::customer_users::{self, CustomerPlace};
use super::{ServiceError, ThingMistake};
use crate::config::keep_secrets;
use crate::store::Store;
use crate::store::configured_versions::{self as store, SETTINGS, VersionRow, VersionWithBody};
use postigo_model::actor::Actor;
use postigo_model::configured::form::{self, ConfiguredKind, HasKeys, LoadedKind};
use postigo_model::configured::key_difference::{KeyDifference, key_differences};
use postigo_model::configured::secret_keys::SecretNames;
use postigo_model::configured::{Breach, CustomerUser, Filter, Settings};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A thing whose versions are meant, whether it is there now or not.
#[derive(Debug, Clone)]
pub struct VersionedThing {
    kind: &'static str,
    /// As it is kept.
    name: String,
    /// `queue`.
    what: String,
    /// Brings what was stored into the form that things have today.
    today: fn(&Value) -> Object,
}

impl VersionedThing {
    /// A thing of a kind; a system address in any of its spellings.
    pub fn of<K: ConfiguredKind>(name: &str) -> Self {
        let today = |body: &Value| {
            let (thing, problems) = form::read(K::default(), body, "", &form::in_clear);
            shown(body, &thing, problems.is_empty())
        };
        Self { kind: K::KIND, name: kept_name::<K>(name), what: configured::what::<K>(), today }
    }

    /// The general settings.
    pub fn settings() -> Self {
        let today = |body: &Value| {
            let mut settings = Settings::default();
            let fields = body.as_object().cloned().unwrap_or_default();
            let problems = form::read_fields(&mut settings, &fields, "", &form::in_clear);
            shown(body, &settings, problems.is_empty())
        };
        Self { kind: SETTINGS, name: String::new(), what: SETTINGS.to_owned(), today }
    }

    /// `the queue "Support"`, `the settings`.
    fn title(&self) -> String {
        if self.name.is_empty() { format!("the {}", self.what) } else { format!("the {} \"{}\"", self.what, self.name) }
    }

    fn missing(&self) -> ServiceError {
        ServiceError::Missing { what: self.what.clone(), name: self.name.clone() }
    }
}

/// What was stored, as things are written today; as it was stored where it cannot be read any more.
fn shown<D: HasKeys>(body: &Value, thing: &D, is_read: bool) -> Object {
    if is_read { form::write(thing) } else { body.as_object().cloned().unwrap_or_default() }
}

/// The versions of a thing before this number, the latest first, at most `limit`; all where there is no number. A thing
/// that never was is missing.
pub async fn list(
    store: &Store,
    thing: &VersionedThing,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<VersionDocument>, ServiceError> {
    let found = store::list(store, thing.kind, &thing.name, before, limit).await?;
    if found.is_empty() && before.is_none() {
        return Err(thing.missing());
    }
    Ok(found.into_iter().map(VersionDocument::from).collect())
}

/// A version of a thing, with the thing.
pub async fn show(store: &Store, thing: &VersionedThing, number: i64) -> Result<VersionWithThing, ServiceError> {
    let found = find(store, thing, number).await?;
    Ok(VersionWithThing { version: found.row.into(), thing: found.body.as_ref().map(thing.today) })
}

async fn find(store: &Store, thing: &VersionedThing, number: i64) -> Result<VersionWithBody, ServiceError> {
    if let Some(found) = store::find(store, thing.kind, &thing.name, number).await? {
        return Ok(found);
    }
    let there = match store::numbers(store, thing.kind, &thing.name).await?.ok_or_else(|| thing.missing())? {
        (one, other) if one == other => format!("it has version {one} alone"),
        (first, latest) => format!("it has the versions {first} to {latest}"),
    };
    Err(ServiceError::NotFound(format!("There is no version {number} of {}; {there}.", thing.title())))
}

/// What differs between two versions of a thing; from the first to the latest where there is one number.
pub async fn compare(
    store: &Store,
    thing: &VersionedThing,
    from: i64,
    to: Option<i64>,
) -> Result<Comparison, ServiceError> {
    let before = remembered(thing, find(store, thing, from).await?)?;
    let to = match to {
        Some(to) => to,
        None => store::numbers(store, thing.kind, &thing.name).await?.map_or(from, |(_, latest)| latest),
    };
    let after = remembered(thing, find(store, thing, to).await?)?;
    let between = (from.min(to), from.max(to));
    let mut secrets = store::changed_secrets(store, thing.kind, &thing.name, between).await?;
    // Of what was set or taken away where nobody noted it the names that it has tell.
    let had: BTreeSet<String> = before.row.has_secrets.into_iter().collect();
    let has: BTreeSet<String> = after.row.has_secrets.into_iter().collect();
    secrets.extend(had.symmetric_difference(&has).cloned());
    let secrets = secrets.into_iter().collect();
    let today = |body: Option<Value>| body.as_ref().map(thing.today).unwrap_or_default();
    Ok(Comparison { from, to, differences: key_differences(&today(before.body), &today(after.body)), secrets })
}

/// A version of which it is not forgotten what the thing was.
fn remembered(thing: &VersionedThing, found: VersionWithBody) -> Result<VersionWithBody, ServiceError> {
    if !found.row.is_forgotten {
        return Ok(found);
    }
    let (number, title) = (found.row.number, thing.title());
    Err(ServiceError::Conflict(format!("What {title} was by version {number} is forgotten; take another version.")))
}

/// Forgets what a thing was by this version, or by all by which it was otherwise than it is now, for somebody may have
/// written a secret where none belongs; who changed it, when and which keys stays. Gives how many versions told it until
/// then.
pub async fn forget(
    store: &Store,
    thing: &VersionedThing,
    number: Option<i64>,
    actor: &Actor,
) -> Result<u64, ServiceError> {
    let is_told = if let Some(number) = number {
        find(store, thing, number).await?.body.is_some()
    } else {
        store::numbers(store, thing.kind, &thing.name).await?.ok_or_else(|| thing.missing())?;
        false
    };
    let count = store::forget(store, thing.kind, &thing.name, number).await?;
    if count > 0 {
        tracing::info!(kind = thing.kind, name = thing.name, number, versions = count, %actor, "versions forgot what it was");
    } else if let Some(number) = number.filter(|_| is_told) {
        let title = thing.title();
        return Err(ServiceError::Conflict(format!(
            "Version {number} is what {title} is now, and is in no row of its own until {title} is changed. Change it first."
        )));
    }
    Ok(count)
}

/// The key under which an answer to a restoration tells what it changed.
pub const DIFFERENCES: &str = "differences";

/// What the restoration of a version came to.
#[derive(Debug, Clone)]
pub struct Restoration {
    /// Whether there was none of this name.
    pub is_new: bool,
    /// What is another than before; of a new thing, what says more than its defaults.
    pub differences: Vec<KeyDifference>,
    /// The names of the secrets that are others than before.
    pub secrets: Vec<String>,
}

impl Restoration {
    /// Whether what is there is another than before.
    pub fn is_change(&self) -> bool {
        self.is_new || !self.differences.is_empty() || !self.secrets.is_empty()
    }
}

/// The thing of a version that is to be restored.
struct WantedVersion {
    row: VersionRow,
    body: Value,
}

async fn wanted(store: &Store, thing: &VersionedThing, number: i64) -> Result<WantedVersion, ServiceError> {
    let VersionWithBody { row, body } = remembered(thing, find(store, thing, number).await?)?;
    let gone = || {
        ServiceError::Conflict(format!(
            "By version {number} {} was deleted: there is nothing in it to restore. Restore the version before it.",
            thing.title()
        ))
    };
    Ok(WantedVersion { row, body: body.ok_or_else(gone)? })
}

/// Makes a thing what it was by a version of it, with the keys that are given besides: `give` is told what the version
/// has. Secrets stay that it has and that are not given; those that it lacks are warned of. A filter's grants stay as they
/// are, too, where they are not given: what was taken from it does not come back unnoticed. `expect` refuses where what
/// is there is not what whoever asks takes it for.
pub async fn restore<K: LoadedKind>(
    editor: Editor<'_>,
    name: &str,
    number: i64,
    give: impl Fn(&K) -> GivenKeys,
    expect: impl Fn(Option<&K>) -> Result<(), ServiceError>,
) -> Result<SavedChange<Restoration>, ServiceError> {
    let WantedVersion { row, body } = wanted(editor.place.store, &VersionedThing::of::<K>(name), number).await?;
    let saved = change_given(editor, |configuration| {
        let earlier = configured::find::<K>(configuration, name).ok().cloned();
        expect(earlier.as_ref())?;
        let (thing, problems) = form::read(K::default(), &body, "", &form::in_clear);
        let mut mistakes = given(K::KIND, name, problems);
        let GivenKeys { fields, problems } = give(&thing);
        mistakes.extend(given(K::KIND, name, problems));
        let fields = in_stored_spelling(Value::Object(fields), Some(&thing));
        let (mut thing, problems) = form::read(thing, &fields, "", &form::in_clear);
        mistakes.extend(given(K::KIND, name, problems));
        keep_secrets(&mut thing, &fields, earlier.as_ref());
        let mut lacking = lacking(&thing, &row);
        if K::KIND == Filter::KIND && fields.get(GRANTS).is_none() {
            lacking.extend(keep_grants(&mut thing, earlier.as_ref(), number));
        }
        let before = form::write(&earlier.clone().unwrap_or_default());
        let differences = key_differences(&before, &form::write(&thing));
        let secrets = SecretNames::of(earlier.as_ref(), Some(&thing)).changed;
        if !thing.name().is_empty() {
            put(configuration, thing);
        }
        Ok(((Restoration { is_new: earlier.is_none(), differences, secrets }, lacking), mistakes))
    });
    let SavedChange { value: (restoration, lacking), configuration, mut warnings } = saved.await?;
    let is_told = |breach: &Breach, told: &[Breach]| {
        told.iter().any(|told| (told.kind, &told.name, &told.place) == (breach.kind, &breach.name, &breach.place))
    };
    let lacking: Vec<Breach> = lacking.into_iter().filter(|breach| !is_told(breach, &warnings)).collect();
    warnings.extend(lacking);
    Ok(SavedChange { value: restoration, configuration, warnings })
}

/// The secrets that a version had and the thing has not.
fn lacking<K: LoadedKind>(thing: &K, row: &VersionRow) -> Vec<Breach> {
    let mut thing = thing.clone();
    let name = thing.name();
    let lacks = thing.secrets().into_iter().filter(|(_, secret)| secret.is_none());
    let lacks = lacks.filter(|(field, _)| row.has_secrets.iter().any(|had| had == field));
    let told = |(field, _): (&'static str, _)| Breach {
        kind: K::KIND,
        name: name.clone(),
        place: format!("/{}", field.replace('.', "/")),
        sentence: format!("is missing: version {} had one, and no version keeps secrets; give it again.", row.number),
    };
    lacks.map(told).collect()
}

/// The key of what a filter may read.
const GRANTS: &str = "grants";

/// Gives a filter the grants that it has now instead of those that a version had, and tells of these where they are more.
/// Of a filter that is not there now none are stated that are to be stated.
fn keep_grants<K: LoadedKind>(thing: &mut K, earlier: Option<&K>, number: i64) -> Option<Breach> {
    let grants = |thing: &K| form::write(thing).get(GRANTS).cloned().unwrap_or_default();
    let had = grants(thing);
    let kept = match earlier {
        Some(earlier) => grants(earlier),
        None if had.is_array() => json!([]),
        None => Value::Null,
    };
    // What was written can be read.
    let fields = Object::from_iter([(GRANTS.to_owned(), kept.clone())]);
    form::read_fields(thing, &fields, "", &form::in_clear);
    let names = |grants: &Value| -> Vec<String> {
        grants.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let kept = names(&kept);
    let lost: Vec<String> = names(&had).into_iter().filter(|grant| !kept.contains(grant)).collect();
    let sentence = || {
        format!(
            "stay as they are now: version {number} had {}, which is not restored; give the grants anew if they are to be.",
            lost.join(", ")
        )
    };
    (!lost.is_empty()).then(|| Breach {
        kind: K::KIND,
        name: thing.name(),
        place: format!("/{GRANTS}"),
        sentence: sentence(),
    })
}

/// The same of the general settings.
pub async fn restore_settings(
    editor: Editor<'_>,
    number: i64,
    fields: &Object,
) -> Result<SavedChange<Restoration>, ServiceError> {
    let WantedVersion { body, .. } = wanted(editor.place.store, &VersionedThing::settings(), number).await?;
    change_given(editor, |configuration| {
        let mut settings = Settings::default();
        let mut mistakes: Vec<ThingMistake> = Vec::new();
        for fields in [body.as_object().unwrap_or(&Object::new()), fields] {
            let problems = form::read_fields(&mut settings, fields, "", &form::in_clear);
            mistakes.extend(given(SETTINGS, "", problems));
        }
        let differences = key_differences(&form::write(&configuration.settings), &form::write(&settings));
        configuration.settings = settings;
        Ok((Restoration { is_new: false, differences, secrets: Vec::new() }, mistakes))
    })
    .await
}

/// The same of a customer user; gives the customer user, too.
pub async fn restore_customer(
    place: CustomerPlace<'_>,
    login: &str,
    number: i64,
    give: impl Fn(&CustomerUser) -> GivenKeys,
) -> Result<(CustomerUser, Restoration), ServiceError> {
    let WantedVersion { body, .. } = wanted(place.store, &VersionedThing::of::<CustomerUser>(login), number).await?;
    let before = customer_users::find(place.store, login).await?;
    let fields = body.as_object().cloned().unwrap_or_default();
    let edit = |_: Option<&CustomerUser>| {
        let restored = customer_users::read(CustomerUser::default(), &fields)?;
        let GivenKeys { fields, problems } = give(&restored);
        if !problems.is_empty() {
            return Err(configured::unreadable(CustomerUser::KIND, login, problems));
        }
        customer_users::read(restored, &fields)
    };
    let (restored, is_new) = customer_users::change(place, login, edit).await?;
    let differences = key_differences(&form::write(&before.unwrap_or_default()), &form::write(&restored));
    Ok((restored, Restoration { is_new, differences, secrets: Vec::new() }))
}
