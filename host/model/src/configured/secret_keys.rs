//! Which keys of a thing are secrets, which of them a change touched, and a thing's text without them.

use super::form::{Codec, ConfiguredKind, KeyVisitor, LoadedKind, NestedTable};
use super::{KindVisitor, Secret, visit_kinds};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The names of a thing's secrets (`password`, `oauth2.client_secret`), in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretNames {
    /// Those that were set, changed or taken away.
    pub changed: Vec<String>,
    /// Those that it has.
    pub has: Vec<String>,
}

impl SecretNames {
    /// Of a thing that becomes another; none: there is none.
    pub fn of<K: LoadedKind>(before: Option<&K>, after: Option<&K>) -> Self {
        let all = |thing: Option<&K>| -> BTreeMap<&'static str, Secret> {
            let mut thing = thing.cloned().unwrap_or_default();
            let secrets = thing.secrets().into_iter();
            secrets.filter_map(|(field, secret)| Some((field, secret.clone()?))).collect()
        };
        let (before, after) = (all(before), all(after));
        let names: BTreeSet<&'static str> = before.keys().chain(after.keys()).copied().collect();
        let changed = names.into_iter().filter(|field| before.get(field) != after.get(field));
        Self {
            changed: changed.map(str::to_owned).collect(),
            has: after.keys().map(|field| (*field).to_owned()).collect(),
        }
    }
}

/// Takes the keys out of a thing's text that things of this kind have as secrets, wherever in it they stand: it may have
/// been written by hand, and not be what the kind reads. Of a kind that is not known nothing is taken.
pub fn remove_secrets(kind: &str, text: &mut Value) {
    let mut secrets = SecretsOfKind { kind, keys: BTreeSet::new() };
    visit_kinds(&mut secrets);
    remove(&secrets.keys, text);
}

fn remove(keys: &BTreeSet<&'static str>, text: &mut Value) {
    match text {
        Value::Object(fields) => {
            fields.retain(|key, _| !keys.contains(key.as_str()));
            fields.values_mut().for_each(|value| remove(keys, value));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| remove(keys, item)),
        _ => {}
    }
}

/// Finds the keys that are secrets of a kind, without the tables that they lie in.
struct SecretsOfKind<'k> {
    kind: &'k str,
    keys: BTreeSet<&'static str>,
}

impl SecretsOfKind<'_> {
    fn look_at<K: ConfiguredKind>(&mut self) {
        if self.kind == K::KIND {
            K::default().describe(&mut Collected(&mut self.keys));
        }
    }
}

impl KindVisitor for SecretsOfKind<'_> {
    fn loaded<K: LoadedKind>(&mut self) {
        self.look_at::<K>();
    }

    fn looked_up<K: ConfiguredKind>(&mut self) {
        self.look_at::<K>();
    }
}

/// Collects the keys of secrets from a description.
struct Collected<'k>(&'k mut BTreeSet<&'static str>);

impl KeyVisitor for Collected<'_> {
    fn field<T>(&mut self, _key: &'static str, _help: &'static str, _value: &mut T, _codec: &Codec<T>) {}

    fn name(&mut self, _key: &'static str, _help: &'static str, _value: &mut String) {}

    fn secret(&mut self, key: &'static str, _help: &'static str, _value: &mut Option<Secret>) {
        self.0.insert(key);
    }

    fn table(&mut self, _key: &'static str, _table: NestedTable, describe: impl FnOnce(&mut Self)) {
        describe(self);
    }

    fn optional_table<T: Default>(
        &mut self,
        _key: &'static str,
        _table: NestedTable,
        _value: &mut Option<T>,
        describe: impl FnOnce(&mut Self, &mut T),
    ) {
        describe(self, &mut T::default());
    }

    fn tables<T: Default>(
        &mut self,
        _key: &'static str,
        _table: NestedTable,
        _values: &mut Vec<T>,
        describe: impl Fn(&mut Self, &mut T),
    ) {
        describe(self, &mut T::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_taken_out_wherever_somebody_wrote_them() {
        let mut text = json!({
            "name": "main", "password": "x", "oauth2": { "tenant": "t", "client_secret": "x" },
            "more": [{ "password": ["x"] }, "kept"]
        });
        remove_secrets("account", &mut text);
        assert_eq!(text, json!({ "name": "main", "oauth2": { "tenant": "t" }, "more": [{}, "kept"] }));
        let filter = json!({ "settings": { "password": "a component's own key" } });
        let mut same = filter.clone();
        remove_secrets("filter", &mut same);
        remove_secrets("unheard of", &mut same);
        assert_eq!(same, filter);
    }
}
