//! What the configuration will be once a file is applied to it.

use postigo_model::configured::form::{
    ConfigurationMistake, ConfiguredKind, LoadedKind, TakeSecret, below, read, read_fields,
};
use postigo_model::configured::{Breach, Configuration, CustomerUser, KindVisitor, visit_kinds};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The table of the general settings.
const SETTINGS: &str = "settings";

/// A configuration that was changed but not saved.
#[derive(Debug)]
pub struct Draft {
    /// As it will be.
    pub configuration: Configuration,
    /// Customer users to be created or updated, by login.
    pub customers: BTreeMap<String, CustomerUser>,
    /// Where the document names a thing: kind and name → JSON Pointer.
    pub places: HashMap<(&'static str, String), String>,
    /// The secrets that the document gives, empty ones too: kind, name and key.
    pub secrets: HashSet<(&'static str, String, &'static str)>,
    /// The mistakes found so far.
    pub problems: Vec<ConfigurationMistake>,
}

impl Draft {
    /// Applies a document: what it names becomes what it says (keys that it leaves out have their defaults, secrets
    /// that it leaves out stay), of `[settings]` only the keys that it names, and everything else stays.
    pub fn of(document: &Map<String, Value>, start: &Configuration, secrets: &TakeSecret<'_>) -> Self {
        let mut draft = Self {
            configuration: start.clone(),
            customers: BTreeMap::new(),
            places: HashMap::new(),
            secrets: HashSet::new(),
            problems: Vec::new(),
        };
        draft.settings(document, secrets);
        let mut reading = TableReader { draft, document, secrets, tables: vec![SETTINGS] };
        visit_kinds(&mut reading);
        let TableReader { mut draft, tables, .. } = reading;
        for key in document.keys().filter(|key| !tables.contains(&key.as_str())) {
            draft.problem(below("", key), format!("there is no table `{key}`; the tables are {}.", tables.join(", ")));
        }
        draft
    }

    /// Removes the filters, and makes invalid the addresses and accounts, that the document did not name. The account
    /// `local` stays.
    pub fn prune(&mut self) {
        visit_kinds(&mut Pruner { configuration: &mut self.configuration, named: &self.places });
    }

    /// Adds broken rules to the problems, at the places where the document names the things. A thing that it does not
    /// name is named in the sentence.
    pub fn add(&mut self, breaches: Vec<Breach>) {
        for breach in breaches {
            match self.places.get(&(breach.kind, breach.name.clone())) {
                Some(pointer) => self.problems.push(ConfigurationMistake {
                    pointer: format!("{pointer}{}", breach.place),
                    sentence: breach.sentence,
                }),
                None => self.problem(String::new(), breach.to_string()),
            }
        }
    }

    fn settings(&mut self, document: &Map<String, Value>, secrets: &TakeSecret<'_>) {
        match document.get(SETTINGS) {
            None => {}
            Some(Value::Object(fields)) => {
                self.problems.extend(read_fields(&mut self.configuration.settings, fields, "/settings", secrets));
                self.places.insert((SETTINGS, String::new()), "/settings".to_owned());
            }
            Some(_) => self.problem("/settings".to_owned(), "must be a table: [settings].".to_owned()),
        }
    }

    fn kind<K: LoadedKind>(&mut self, document: &Map<String, Value>, secrets: &TakeSecret<'_>) {
        for (pointer, object) in self.tables(document, K::KIND) {
            let (mut thing, problems) = read(K::default(), object, &pointer, secrets);
            self.problems.extend(problems);
            let name = thing.name();
            if self.is_new(K::KIND, K::NAME, &name, &pointer) {
                keep_secrets(&mut thing, object, K::all(&self.configuration).get(&name));
                let given = thing.secrets().into_iter().map(|(key, _)| key).filter(|key| gives(object, key));
                self.secrets.extend(given.map(|key| (K::KIND, name.clone(), key)));
                K::all_mut(&mut self.configuration).insert(name, thing);
            }
        }
    }

    fn customers(&mut self, document: &Map<String, Value>, secrets: &TakeSecret<'_>) {
        for (pointer, object) in self.tables(document, CustomerUser::KIND) {
            let (customer, problems) = read(CustomerUser::default(), object, &pointer, secrets);
            self.problems.extend(problems);
            if self.is_new(CustomerUser::KIND, CustomerUser::NAME, &customer.login, &pointer) {
                self.customers.insert(customer.login.clone(), customer);
            }
        }
    }

    /// The tables of a kind with their places.
    fn tables<'d>(&mut self, document: &'d Map<String, Value>, kind: &'static str) -> Vec<(String, &'d Value)> {
        match document.get(kind) {
            None => Vec::new(),
            Some(Value::Array(items)) => {
                items.iter().enumerate().map(|(index, item)| (format!("/{kind}/{index}"), item)).collect()
            }
            Some(_) => {
                self.problem(below("", kind), format!("there may be several: write [[{kind}]]."));
                Vec::new()
            }
        }
    }

    /// Whether a thing has a name that the document did not have yet; remembers its place.
    fn is_new(&mut self, kind: &'static str, key: &str, name: &str, pointer: &str) -> bool {
        if name.is_empty() {
            return false;
        }
        let earlier = self.places.insert((kind, name.to_owned()), pointer.to_owned());
        if earlier.is_some() {
            self.problem(below(pointer, key), format!("the {} \"{name}\" is there twice.", kind.replace('_', " ")));
        }
        earlier.is_none()
    }

    fn problem(&mut self, pointer: String, sentence: String) {
        self.problems.push(ConfigurationMistake { pointer, sentence });
    }
}

/// Reads a document's tables, kind by kind.
struct TableReader<'r> {
    draft: Draft,
    document: &'r Map<String, Value>,
    secrets: &'r TakeSecret<'r>,
    /// The tables that a document may have.
    tables: Vec<&'static str>,
}

impl KindVisitor for TableReader<'_> {
    fn loaded<K: LoadedKind>(&mut self) {
        self.tables.push(K::KIND);
        self.draft.kind::<K>(self.document, self.secrets);
    }

    fn looked_up<K: ConfiguredKind>(&mut self) {
        self.tables.push(K::KIND);
        self.draft.customers(self.document, self.secrets);
    }
}

/// Prunes the things that are not named, kind by kind.
struct Pruner<'p> {
    configuration: &'p mut Configuration,
    named: &'p HashMap<(&'static str, String), String>,
}

impl KindVisitor for Pruner<'_> {
    fn loaded<K: LoadedKind>(&mut self) {
        let named = self.named;
        K::all_mut(self.configuration)
            .retain(|name, thing| named.contains_key(&(K::KIND, name.clone())) || thing.prune());
    }

    /// Files never take them away.
    fn looked_up<K: ConfiguredKind>(&mut self) {}
}

/// Secrets that `given` leaves out stay what they were.
pub fn keep_secrets<K: LoadedKind>(thing: &mut K, given: &Value, earlier: Option<&K>) {
    let Some(mut earlier) = earlier.cloned() else { return };
    let kept = earlier.secrets();
    for (key, secret) in thing.secrets() {
        if !gives(given, key) {
            *secret = kept.iter().find(|(kept, _)| *kept == key).and_then(|(_, secret)| (**secret).clone());
        }
    }
}

/// Whether an object has a secret, by its key (`oauth2.client_secret`), be it empty.
fn gives(object: &Value, key: &str) -> bool {
    object.pointer(&format!("/{}", key.replace('.', "/"))).is_some()
}
