//! What is configured (queues, accounts, filters, …): listed, shown, made, changed and deleted, one at a time.
//!
//! A change is made on the configuration as it is, checked with the whole of it as a file's is, and saved; where
//! somebody else's was saved meanwhile, it is made anew on top of that.

use super::saving::Tries;
use super::{ServiceError, ThingMistake};
use crate::config::{self, Review, differences, keep_secrets, review, widened};
use crate::machine::Machine;
use crate::oauth2::{Owner, SignInState, Subject, Tokens};
use crate::secret_key::SecretKey;
use crate::store::{Store, configuration};
use postigo_model::configured::form::{self, ConfigurationMistake, ConfiguredKind, LoadedKind};
use postigo_model::configured::{Breach, Configuration};
use postigo_model::mailbox::Mailbox;
use serde_json::{Map, Value};

/// The key under which it is shown how a sign-in by OAuth2 stands.
pub const SIGN_IN: &str = "sign_in";

/// The key under which an answer lists what was saved and is worth a second look.
pub const WARNINGS: &str = "warnings";

/// A thing as it is written and shown.
pub type Object = Map<String, Value>;

/// Who changes the configuration, and what of the rest may be put into it.
#[derive(Clone, Copy)]
pub struct Editor<'e> {
    /// Where the configuration is kept, and who makes the change.
    pub place: config::ConfigurationPlace<'e>,
    /// What of this machine may be configured; none: all of it, by somebody who has a shell there.
    pub machine: Option<&'e Machine>,
    /// Whether filters may be given grants that only an admin gives.
    pub gives_grants: bool,
    /// Whether the change is only tried: everything is checked, and nothing is saved.
    pub is_trial: bool,
}

/// A change that was saved, or tried.
pub struct SavedChange<T> {
    /// What the change gave.
    pub value: T,
    /// The configuration that was saved: what components mean is settled in it.
    pub configuration: Configuration,
    /// What of the change is worth a second look, and was saved all the same.
    pub warnings: Vec<Breach>,
}

impl<T> SavedChange<T> {
    /// A thing as it was saved.
    pub fn object<K: LoadedKind>(&self, name: &str) -> Object {
        find::<K>(&self.configuration, name).map(form::write).unwrap_or_default()
    }
}

/// The configuration as it is now.
pub async fn load(store: &Store, key: &SecretKey) -> Result<Configuration, ServiceError> {
    Ok(configuration::load(store, key).await?)
}

/// The things of a kind in byte order of their names; those with a text somewhere in them, case ignored, where one is
/// searched.
pub fn list<'c, K: LoadedKind + 'c>(
    configuration: &'c Configuration,
    search: Option<&str>,
) -> impl Iterator<Item = (String, Object)> + use<'c, K> {
    let search = search.map(str::to_lowercase);
    let things = K::all(configuration).iter().map(|(name, thing)| (name.clone(), form::write(thing)));
    things.filter(move |(_, object)| {
        search.as_ref().is_none_or(|text| object.values().any(|value| mentions(value, text)))
    })
}

/// Whether a value has a text in it, at any depth; the text is in lower case.
pub(super) fn mentions(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string.to_lowercase().contains(text),
        Value::Array(items) => items.iter().any(|item| mentions(item, text)),
        Value::Object(fields) => fields.values().any(|value| mentions(value, text)),
        _ => false,
    }
}

/// The name by which a thing is kept: of a system address the one of all its spellings.
pub fn kept_name<K: ConfiguredKind>(name: &str) -> String {
    if K::NAME == ADDRESS { String::from(Mailbox::of(name)) } else { name.to_owned() }
}

/// Finds a thing by name; a system address in any of its spellings.
pub fn find<'c, K: LoadedKind>(configuration: &'c Configuration, name: &str) -> Result<&'c K, ServiceError> {
    let found = K::all(configuration).get(&kept_name::<K>(name));
    found.ok_or_else(|| ServiceError::Missing { what: what::<K>(), name: name.to_owned() })
}

/// Whether two names under this key are those of one thing: an address is in any of its spellings.
pub fn is_same(key: &str, name: &str, other: &str) -> bool {
    if key == ADDRESS { Mailbox::of(name) == Mailbox::of(other) } else { name == other }
}

/// The key of names that have several spellings.
const ADDRESS: &str = "address";

/// The fields with the name in the spelling in which the thing is stored, which a change of other keys leaves alone.
pub(super) fn in_stored_spelling<K: LoadedKind>(mut fields: Value, earlier: Option<&K>) -> Value {
    if let (Some(stored), Some(given)) =
        (earlier.and_then(|earlier| form::write(earlier).shift_remove(K::NAME)), fields.get_mut(K::NAME))
        && let (Some(one), Some(other)) = (stored.as_str(), given.as_str())
        && is_same(K::NAME, one, other)
    {
        *given = stored;
    }
    fields
}

/// How the sign-in of an account or transport stands that is shown as `object`; none where it does not sign in by
/// OAuth2.
pub async fn sign_in<K: LoadedKind>(
    configuration: &Configuration,
    name: &str,
    object: &Object,
    tokens: &Tokens,
) -> Result<Option<SignInState>, ServiceError> {
    let Some(owner) = Owner::of_kind(K::KIND, name).filter(|_| object.get("oauth2").is_some_and(Value::is_object))
    else {
        return Ok(None);
    };
    let Ok(subject) = Subject::find(configuration, &owner, None) else { return Ok(None) };
    Ok(Some(tokens.state(&subject).await?))
}

/// Adds a thing; there must be none of its name. Gives the name.
pub async fn create<K: LoadedKind>(editor: Editor<'_>, fields: &Value) -> Result<SavedChange<String>, ServiceError> {
    change(editor, |configuration| {
        let thing: K = read(K::default(), fields)?;
        if K::all(configuration).contains_key(&thing.name()) {
            return Err(ServiceError::Taken { what: what::<K>(), name: thing.name() });
        }
        Ok(put(configuration, thing))
    })
    .await
}

/// Puts a whole thing in the place of this name, or adds it: what `fields` leave out has its default, secrets that they
/// leave out stay. Gives whether there was none before. `expect` refuses where what is there is not what whoever asks
/// takes it for.
pub async fn replace<K: LoadedKind>(
    editor: Editor<'_>,
    name: &str,
    fields: &Value,
    expect: impl Fn(Option<&K>) -> Result<(), ServiceError>,
) -> Result<SavedChange<bool>, ServiceError> {
    change(editor, |configuration| {
        let earlier = find::<K>(configuration, name).ok().cloned();
        expect(earlier.as_ref())?;
        let mut thing: K = read(K::default(), &in_stored_spelling(fields.clone(), earlier.as_ref()))?;
        keep_secrets(&mut thing, fields, earlier.as_ref());
        put(configuration, thing);
        Ok(earlier.is_none())
    })
    .await
}

/// Changes the keys of a thing that `fields` name; tables inside it likewise, but for a filter's `settings`, which are
/// replaced.
pub async fn alter<K: LoadedKind>(
    editor: Editor<'_>,
    name: &str,
    fields: &Value,
    expect: impl Fn(Option<&K>) -> Result<(), ServiceError>,
) -> Result<SavedChange<()>, ServiceError> {
    change(editor, |configuration| {
        let earlier = find::<K>(configuration, name)?.clone();
        expect(Some(&earlier))?;
        let fields = in_stored_spelling(fields.clone(), Some(&earlier));
        let thing = read(earlier, &fields)?;
        put(configuration, thing);
        Ok(())
    })
    .await
}

/// Keys with their values, as somebody gave them, and what is wrong with those that cannot be read.
pub struct GivenKeys {
    /// The keys that can be read.
    pub fields: Object,
    /// What is wrong with the others.
    pub problems: Vec<ConfigurationMistake>,
}

/// Changes the keys of a thing that are given, or makes it where there is none of this name. `give` is told what there
/// is, or a new thing as it is by default; it names the thing. Gives whether there was none before. Mistakes in what is
/// given and rules that would not hold are told together.
pub async fn set<K: LoadedKind>(
    editor: Editor<'_>,
    name: &str,
    give: impl Fn(&K) -> GivenKeys,
) -> Result<SavedChange<bool>, ServiceError> {
    change_given(editor, |configuration| {
        let earlier = find::<K>(configuration, name).ok().cloned();
        let is_new = earlier.is_none();
        let GivenKeys { fields, mut problems } = give(&earlier.clone().unwrap_or_default());
        let fields = in_stored_spelling(Value::Object(fields), earlier.as_ref());
        let (thing, more) = form::read(earlier.unwrap_or_default(), &fields, "", &form::in_clear);
        problems.extend(more);
        // What has no name cannot be held to any rule.
        if !thing.name().is_empty() {
            put(configuration, thing);
        }
        Ok((is_new, given(K::KIND, name, problems)))
    })
    .await
}

/// Removes a thing.
pub async fn delete<K: LoadedKind>(
    editor: Editor<'_>,
    name: &str,
    expect: impl Fn(Option<&K>) -> Result<(), ServiceError>,
) -> Result<SavedChange<()>, ServiceError> {
    change(editor, |configuration| {
        let earlier: &K = find(configuration, name)?;
        expect(Some(earlier))?;
        let name = earlier.name();
        K::all_mut(configuration).remove(&name);
        Ok(())
    })
    .await
}

/// Makes a change of the configuration, checks the whole of it as `config apply` does, and saves it; gives what `edit`
/// gave. `edit` may run several times, each on what others saved meanwhile; where it refuses, nothing is saved.
pub async fn change<T>(
    editor: Editor<'_>,
    edit: impl Fn(&mut Configuration) -> Result<T, ServiceError>,
) -> Result<SavedChange<T>, ServiceError> {
    change_given(editor, |configuration| Ok((edit(configuration)?, Vec::new()))).await
}

/// The same; `edit` gives what is wrong with what it was given, too. With any mistake nothing is saved.
pub(super) async fn change_given<T>(
    editor: Editor<'_>,
    edit: impl Fn(&mut Configuration) -> Result<(T, Vec<ThingMistake>), ServiceError>,
) -> Result<SavedChange<T>, ServiceError> {
    let Editor { place, machine, gives_grants, is_trial } = editor;
    let mut tries = Tries::default();
    loop {
        let before = configuration::load(place.store, place.key).await?;
        let mut after = before.clone();
        let (value, mut mistakes) = edit(&mut after)?;
        let Review { mistakes: mut breaches, warnings } = review(&before, &mut after, place).await?;
        breaches.extend(machine.into_iter().flat_map(|machine| machine.check(&before, &after)));
        mistakes.extend(broken(&before, &after, breaches));
        if !mistakes.is_empty() {
            return Err(ServiceError::Mistakes(mistakes));
        }
        if !gives_grants {
            let widened = widened(&before, &after, place.store, place.sandbox).await?;
            if !widened.is_empty() {
                return Err(ServiceError::NotGranted(widened));
            }
        }
        if is_trial {
            return Ok(SavedChange { value, configuration: after, warnings });
        }
        if let Some(version) = tries.save(place, &before, &after, Vec::new()).await? {
            after.version = version;
            return Ok(SavedChange { value, configuration: after, warnings });
        }
    }
}

/// What a kind is called: `system address`.
pub fn what<K: ConfiguredKind>() -> String {
    K::KIND.replace('_', " ")
}

fn read<K: LoadedKind>(start: K, fields: &Value) -> Result<K, ServiceError> {
    let name = start.name();
    let (thing, problems) = form::read(start, fields, "", &form::in_clear);
    if problems.is_empty() { Ok(thing) } else { Err(unreadable(K::KIND, &name, problems)) }
}

/// What the form found wrong with a thing that was given.
pub(super) fn unreadable(kind: &'static str, name: &str, problems: Vec<ConfigurationMistake>) -> ServiceError {
    ServiceError::Mistakes(given(kind, name, problems))
}

pub(super) fn given(kind: &'static str, name: &str, problems: Vec<ConfigurationMistake>) -> Vec<ThingMistake> {
    problems.into_iter().map(|problem| ThingMistake::given(kind, name, problem.pointer, problem.sentence)).collect()
}

pub(super) fn put<K: LoadedKind>(configuration: &mut Configuration, thing: K) -> String {
    let name = thing.name();
    K::all_mut(configuration).insert(name.clone(), thing);
    name
}

/// A breach of a thing that is changed has its place in what was given.
fn broken(before: &Configuration, after: &Configuration, breaches: Vec<Breach>) -> Vec<ThingMistake> {
    let changed = differences(before, after);
    let is_changed =
        |breach: &Breach| changed.iter().any(|changed| changed.kind == breach.kind && changed.name == breach.name);
    breaches.into_iter().map(|breach| ThingMistake { is_given: is_changed(&breach), breach }).collect()
}
