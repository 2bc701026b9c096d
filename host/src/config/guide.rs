//! The guide to the configuration names every key that there is.

use super::{as_markdown, key_rows};
use postigo_model::configured::form::{ConfiguredKind, LoadedKind};
use postigo_model::configured::keys::{ConfigurationKey, KeyContent, keys};
use postigo_model::configured::{KindVisitor, Settings, visit_kinds};

/// The guide, whose only block of TOML is an example of everything.
const GUIDE: &str = include_str!("../../../docs/configuration.md");

/// The keys that the example has in `[settings]` or the tables of a kind.
fn shown(kind: &str) -> toml::Table {
    let from = GUIDE.find("```toml\n").unwrap() + "```toml\n".len();
    let example: toml::Table = toml::from_str(GUIDE[from..].split("```").next().unwrap()).unwrap();
    let things = example.get(kind).unwrap_or_else(|| {
        panic!("docs/configuration.md has no example of `[[{kind}]]`: write one in its block of TOML");
    });
    match things {
        toml::Value::Array(things) => things.iter().flat_map(|thing| thing.as_table().unwrap().clone()).collect(),
        settings => settings.as_table().unwrap().clone(),
    }
}

/// The paths of keys, those of tables inside a thing after a dot.
fn paths(keys: &[ConfigurationKey], table: &str) -> Vec<String> {
    let path = |key: &ConfigurationKey| match &key.content {
        KeyContent::Table { keys, .. } | KeyContent::Tables { keys, .. } => {
            paths(keys, &format!("{table}{}.", key.name))
        }
        _ => vec![format!("{table}{}", key.name)],
    };
    keys.iter().flat_map(path).collect()
}

/// Which of a kind's keys the guide does not name.
fn missing(kind: &str, keys: &[ConfigurationKey]) -> Vec<String> {
    let example = shown(kind);
    let has = |path: &str| {
        let found = path.split('.').try_fold(&example, |table, key| Some(table.get(key)?.as_table().unwrap_or(table)));
        // Tables inside a thing have their keys in the text, where the example has one of several forms.
        let told = || path.rsplit_once('.').is_some_and(|(_, key)| GUIDE.contains(&format!("`{key}`")));
        found.is_some() || told()
    };
    paths(keys, "").into_iter().filter(|path| !has(path)).map(|path| format!("{kind}: {path}")).collect()
}

struct UndocumentedKinds(Vec<String>);

impl KindVisitor for UndocumentedKinds {
    fn loaded<K: LoadedKind>(&mut self) {
        self.looked_up::<K>();
    }

    fn looked_up<K: ConfiguredKind>(&mut self) {
        self.0.extend(missing(K::KIND, &keys::<K>()));
    }
}

#[test]
fn every_key_is_in_the_guide() {
    let mut found = UndocumentedKinds(missing("settings", &keys::<Settings>()));
    visit_kinds(&mut found);
    assert_eq!(found.0, Vec::<String>::new());
}

/// What stands before and after the tables of keys on the page.
const MARKS: [&str; 2] = ["<!-- keys -->\n", "<!-- end of keys -->"];

#[test]
fn the_tables_of_keys_are_those_of_the_code() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(MARKS[0]).expect("the page has the mark");
    let (_, after) = rest.split_once(MARKS[1]).expect("the page has the other mark");
    let wanted = format!("{before}{}{}\n{}{after}", MARKS[0], as_markdown(&key_rows()), MARKS[1]);
    if std::env::var_os("POSTIGO_BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap();
    assert!(
        page == wanted,
        "docs/configuration.md has other keys than `postigo config keys --markdown`: write it anew with POSTIGO_BLESS=1"
    );
}
