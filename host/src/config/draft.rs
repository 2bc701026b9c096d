//! What the configuration will be once a file is applied to it.

use postigo_model::configured::Breach;
use postigo_model::configured::form::{Kind, Problem, TakeSecret, below, read, read_fields};
use postigo_model::configured::{
    Account, AutoResponse, Configuration, CustomerUser, DynamicField, Filter, Queue, SystemAddress, Template, Transport, Validity,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// The tables that a file may have.
const TABLES: &[&str] = &[
    "settings",
    Queue::KIND,
    SystemAddress::KIND,
    Account::KIND,
    DynamicField::KIND,
    "customer_user",
    AutoResponse::KIND,
    Template::KIND,
    Transport::KIND,
    Filter::KIND,
];

/// A configuration that was changed but not saved.
#[derive(Debug)]
pub struct Draft {
    /// As it will be.
    pub configuration: Configuration,
    /// Customer users to be created or updated, by login.
    pub customers: BTreeMap<String, CustomerUser>,
    /// Where the document names a thing: kind and name → JSON Pointer.
    pub places: HashMap<(&'static str, String), String>,
    /// The mistakes found so far.
    pub problems: Vec<Problem>,
}

impl Draft {
    /// Applies a document: what it names becomes what it says (keys that it leaves out have their defaults, secrets that it leaves out
    /// stay), of `[settings]` only the keys that it names, and everything else stays.
    pub fn of(document: &Map<String, Value>, start: &Configuration, secrets: &TakeSecret<'_>) -> Self {
        let mut draft = Self { configuration: start.clone(), customers: BTreeMap::new(), places: HashMap::new(), problems: Vec::new() };
        for key in document.keys().filter(|key| !TABLES.contains(&key.as_str())) {
            draft.problem(below("", key), format!("there is no table `{key}`; the tables are {}.", TABLES.join(", ")));
        }
        draft.settings(document, secrets);
        draft.kind::<Queue>(document, secrets);
        draft.kind::<SystemAddress>(document, secrets);
        draft.kind::<Account>(document, secrets);
        draft.kind::<DynamicField>(document, secrets);
        draft.customers(document, secrets);
        draft.kind::<AutoResponse>(document, secrets);
        draft.kind::<Template>(document, secrets);
        draft.kind::<Transport>(document, secrets);
        draft.kind::<Filter>(document, secrets);
        draft
    }

    /// Removes the filters, and makes invalid the addresses and accounts, that the document did not name. The account `local` stays.
    pub fn prune(&mut self) {
        let places = &self.places;
        let named = |kind: &'static str, name: &str| places.contains_key(&(kind, name.to_owned()));
        self.configuration.filters.retain(|name, _| named(Filter::KIND, name));
        for (name, address) in &mut self.configuration.system_addresses {
            if !named(SystemAddress::KIND, name) && address.valid.is_valid() {
                address.valid = Validity::Invalid;
            }
        }
        for (name, account) in &mut self.configuration.accounts {
            if !named(Account::KIND, name) && name != "local" && account.valid.is_valid() {
                account.valid = Validity::Invalid;
            }
        }
    }

    /// Adds broken rules to the problems, at the places where the document names the things. A thing that it does not name is named in
    /// the sentence.
    pub fn add(&mut self, breaches: Vec<Breach>) {
        for breach in breaches {
            match self.places.get(&(breach.kind, breach.name.clone())) {
                Some(pointer) => self.problems.push(Problem { pointer: format!("{pointer}{}", breach.place), sentence: breach.sentence }),
                None => self.problem(String::new(), breach.to_string()),
            }
        }
    }

    fn settings(&mut self, document: &Map<String, Value>, secrets: &TakeSecret<'_>) {
        match document.get("settings") {
            None => {}
            Some(Value::Object(fields)) => {
                let settings = &mut self.configuration.settings;
                self.problems.extend(read_fields(fields, "/settings", secrets, |reader| settings.describe(reader)));
                self.places.insert(("settings", String::new()), "/settings".to_owned());
            }
            Some(_) => self.problem("/settings".to_owned(), "must be a table: [settings].".to_owned()),
        }
    }

    fn kind<K: Kind>(&mut self, document: &Map<String, Value>, secrets: &TakeSecret<'_>) {
        for (pointer, object) in self.tables(document, K::KIND) {
            let (mut thing, problems) = read(K::default(), object, &pointer, secrets);
            self.problems.extend(problems);
            let name = thing.name();
            if self.is_new(K::KIND, K::NAME, &name, &pointer) {
                keep_secrets(&mut thing, K::all(&self.configuration).get(&name));
                K::all_mut(&mut self.configuration).insert(name, thing);
            }
        }
    }

    fn customers(&mut self, document: &Map<String, Value>, secrets: &TakeSecret<'_>) {
        for (pointer, object) in self.tables(document, "customer_user") {
            let Value::Object(fields) = object else {
                self.problem(pointer, "a customer user must be a table.".to_owned());
                continue;
            };
            let mut customer = CustomerUser::default();
            self.problems.extend(read_fields(fields, &pointer, secrets, |reader| customer.describe(reader)));
            if self.is_new("customer_user", "login", &customer.login, &pointer) {
                self.customers.insert(customer.login.clone(), customer);
            }
        }
    }

    /// The tables of a kind with their places.
    fn tables<'d>(&mut self, document: &'d Map<String, Value>, kind: &'static str) -> Vec<(String, &'d Value)> {
        match document.get(kind) {
            None => Vec::new(),
            Some(Value::Array(items)) => items.iter().enumerate().map(|(index, item)| (format!("/{kind}/{index}"), item)).collect(),
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
        self.problems.push(Problem { pointer, sentence });
    }
}

/// Secrets that were left out stay what they were.
pub fn keep_secrets<K: Kind>(thing: &mut K, earlier: Option<&K>) {
    let Some(mut earlier) = earlier.cloned() else { return };
    let kept = earlier.secrets();
    for (key, secret) in thing.secrets() {
        if secret.is_none() {
            *secret = kept.iter().find(|(kept, _)| *kept == key).and_then(|(_, secret)| (**secret).clone());
        }
    }
}
