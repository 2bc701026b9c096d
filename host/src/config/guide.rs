//! The guide to the configuration names every key that there is.

use postigo_model::configured::Account;
use postigo_model::configured::AutoResponse;
use postigo_model::configured::CustomerUser;
use postigo_model::configured::DynamicField;
use postigo_model::configured::Filter;
use postigo_model::configured::Queue;
use postigo_model::configured::Secret;
use postigo_model::configured::Settings;
use postigo_model::configured::SystemAddress;
use postigo_model::configured::Template;
use postigo_model::configured::Transport;
use postigo_model::configured::form::{Codec, Form, Kind};

/// The guide, whose only block of TOML is an example of everything.
const GUIDE: &str = include_str!("../../../docs/configuration.md");

/// Lists the keys that are described to it, those of tables inside a thing after a dot.
#[derive(Default)]
struct Keys {
    table: String,
    keys: Vec<String>,
}

impl Keys {
    fn add(&mut self, key: &str) {
        self.keys.push(format!("{}{key}", self.table));
    }
}

impl Form for Keys {
    fn field<T>(&mut self, key: &'static str, _value: &mut T, _codec: &Codec<T>) {
        self.add(key);
    }

    fn name(&mut self, key: &'static str, _value: &mut String) {
        self.add(key);
    }

    fn secret(&mut self, key: &'static str, _value: &mut Option<Secret>) {
        self.add(key);
    }

    fn table(&mut self, key: &'static str, describe: impl FnOnce(&mut Self)) {
        let outside = self.table.clone();
        self.table = format!("{outside}{key}.");
        describe(self);
        self.table = outside;
    }

    fn has_table(&mut self, _key: &'static str, _present: bool) -> bool {
        true
    }
}

/// The keys that the example has in `[settings]` or the first table of a kind.
fn shown(kind: &str) -> toml::Table {
    let from = GUIDE.find("```toml\n").unwrap() + "```toml\n".len();
    let example: toml::Table = toml::from_str(GUIDE[from..].split("```").next().unwrap()).unwrap();
    match &example[kind] {
        toml::Value::Array(things) => things[0].as_table().unwrap().clone(),
        settings => settings.as_table().unwrap().clone(),
    }
}

/// Which of a kind's keys the guide does not name.
fn missing(kind: &str, describe: impl FnOnce(&mut Keys)) -> Vec<String> {
    let mut keys = Keys::default();
    describe(&mut keys);
    let example = shown(kind);
    let has = |path: &str| {
        let found = path.split('.').try_fold(&example, |table, key| Some(table.get(key)?.as_table().unwrap_or(table)));
        // Tables inside a thing have their keys in the text, where the example has one of several forms.
        let told = || path.rsplit_once('.').is_some_and(|(_, key)| GUIDE.contains(&format!("`{key}`")));
        found.is_some() || told()
    };
    keys.keys.into_iter().filter(|path| !has(path)).map(|path| format!("{kind}: {path}")).collect()
}

fn missing_of<K: Kind>() -> Vec<String> {
    missing(K::KIND, |keys| K::default().describe(keys))
}

#[test]
fn every_key_is_in_the_guide() {
    let missing = [
        missing("settings", |keys| Settings::default().describe(keys)),
        missing_of::<Queue>(),
        missing_of::<SystemAddress>(),
        missing_of::<Account>(),
        missing_of::<DynamicField>(),
        missing("customer_user", |keys| CustomerUser::default().describe(keys)),
        missing_of::<AutoResponse>(),
        missing_of::<Template>(),
        missing_of::<Transport>(),
        missing_of::<Filter>(),
    ];
    assert_eq!(missing.concat(), Vec::<String>::new());
}
