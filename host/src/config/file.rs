//! The configuration file: TOML as the values that the [`postigo_model::configured::form`] reads, with the line of
//! every place.

use postigo_model::configured::form::{ConfigurationMistake, below};
use serde_json::{Map, Number, Value};
use std::collections::HashMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A parsed file.
#[derive(Debug)]
pub struct ConfigurationFile {
    /// Its content.
    pub root: Map<String, Value>,
    /// What TOML itself does not allow.
    pub problems: Vec<(usize, String)>,
    lines: HashMap<String, usize>,
}

impl ConfigurationFile {
    /// Parses the text; what can be understood of a broken file is in [`ConfigurationFile::root`].
    pub fn parse(text: &str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut reading = FileReader { starts: line_starts(text), lines: HashMap::new(), problems: Vec::new() };
        for error in errors {
            let line = error.span().map_or(1, |span| reading.line(span.start));
            reading.problems.push((line, format!("this is not TOML: {}.", error.message().trim_end_matches('.'))));
        }
        let root = reading.table(table.get_ref(), "");
        reading.problems.sort();
        reading.problems.dedup_by_key(|(line, _)| *line);
        Self { root, problems: reading.problems, lines: reading.lines }
    }

    /// The line, from 1 on, of the place or of the nearest place above it that the file has.
    pub fn line(&self, pointer: &str) -> usize {
        let mut pointer = pointer;
        loop {
            match (self.lines.get(pointer), pointer.rfind('/')) {
                (Some(line), _) => return *line,
                (None, Some(end)) => pointer = pointer.get(..end).unwrap_or_default(),
                (None, None) => return 1,
            }
        }
    }

    /// Every mistake as `FILE:LINE: key KEY (THING): SENTENCE`, in the order of the lines.
    pub fn tell(&self, name: &str, problems: &[ConfigurationMistake]) -> Vec<String> {
        let mut told: Vec<(usize, String)> = self.problems.clone();
        told.extend(problems.iter().map(|problem| {
            let line = self.line(&problem.pointer);
            (line, format!("{}{}", self.place(&problem.pointer), problem.sentence))
        }));
        told.sort_by_key(|(line, _)| *line);
        told.into_iter().map(|(line, sentence)| format!("{name}:{line}: {sentence}")).collect()
    }

    /// `key settings.when[0].matches (filter "10 Invoices"): `
    fn place(&self, pointer: &str) -> String {
        let steps: Vec<String> =
            pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        let (thing, keys) = match steps.as_slice() {
            [kind, index, keys @ ..] if index.parse::<usize>().is_ok() => (self.thing(kind, index), keys),
            keys => (None, keys),
        };
        let mut path = String::new();
        for key in keys {
            match key.parse::<usize>() {
                Ok(index) => path = format!("{path}[{index}]"),
                Err(_) if path.is_empty() => path.push_str(key),
                Err(_) => path = format!("{path}.{key}"),
            }
        }
        match (path.is_empty(), thing) {
            (false, Some(thing)) => format!("key {path} ({thing}): "),
            (false, None) => format!("key {path}: "),
            (true, Some(thing)) => format!("{thing}: "),
            (true, None) => String::new(),
        }
    }

    fn thing(&self, kind: &str, index: &str) -> Option<String> {
        let thing = self.root.get(kind)?.get(index.parse::<usize>().ok()?)?;
        let name = ["name", "address", "login"].iter().find_map(|key| thing.get(key)).and_then(Value::as_str);
        let kind = kind.replace('_', " ");
        Some(name.map_or_else(|| kind.clone(), |name| format!("{kind} {name:?}")))
    }
}

struct FileReader {
    starts: Vec<usize>,
    lines: HashMap<String, usize>,
    problems: Vec<(usize, String)>,
}

impl FileReader {
    fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).max(1)
    }

    fn table(&mut self, table: &DeTable<'_>, pointer: &str) -> Map<String, Value> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut map = Map::new();
        for (key, value) in entries {
            let pointer = below(pointer, key.get_ref());
            let line = self.line(key.span().start);
            self.lines.insert(pointer.clone(), line);
            let value = self.value(value, &pointer);
            map.insert(key.get_ref().to_string(), value);
        }
        map
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, pointer: &str) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Integer(number) => self.number(
                &number.to_string(),
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(Number::from),
                value,
            ),
            DeValue::Float(number) => {
                self.number(&number.to_string(), number.as_str().parse().ok().and_then(Number::from_f64), value)
            }
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Datetime(time) => Value::String(time.to_string()),
            DeValue::Array(items) => {
                let items = items.iter().enumerate().map(|(index, item)| {
                    let pointer = below(pointer, &index.to_string());
                    let line = self.line(item.span().start);
                    self.lines.insert(pointer.clone(), line);
                    self.value(item, &pointer)
                });
                items.collect()
            }
            DeValue::Table(table) => Value::Object(self.table(table, pointer)),
        }
    }

    fn number(&mut self, text: &str, number: Option<Number>, value: &Spanned<DeValue<'_>>) -> Value {
        if let Some(number) = number {
            return Value::Number(number);
        }
        let line = self.line(value.span().start);
        self.problems.push((line, format!("the number {text} is too large, or is none.")));
        Value::Null
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_its_line() {
        let file = ConfigurationFile::parse(
            "[[queue]]\nname = \"a\"\n\n[[filter]]\nname = \"b\"\n[filter.settings]\nwhen = [ { header = \"x\" },\n  { header = \"y\" } ]\n",
        );
        assert_eq!(file.problems, []);
        for (pointer, line) in [
            ("/queue/0", 1),
            ("/queue/0/name", 2),
            ("/queue/0/missing", 1),
            ("/filter/0", 4),
            ("/filter/0/settings", 6),
            ("/filter/0/settings/when/0/header", 7),
            ("/filter/0/settings/when/1/header", 8),
            ("/filter/0/settings/when/1/matches", 8),
            ("/nothing", 1),
        ] {
            assert_eq!(file.line(pointer), line, "{pointer}");
        }
    }

    #[test]
    fn every_mistake_of_the_syntax_is_told_with_its_line() {
        let file = ConfigurationFile::parse("[settings]\ncolour = \nx = 1\nx = 2\ny = 99999999999999999999\nz = nan\n");
        let lines: Vec<usize> = file.problems.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 4, 5, 6], "{:?}", file.problems);
    }

    #[test]
    fn a_mistake_is_told_with_file_line_key_and_thing() {
        let file =
            ConfigurationFile::parse("[[filter]]\nname = \"b\"\n[filter.settings]\nwhen = [ { matches = \"(\" } ]\n");
        let problem =
            ConfigurationMistake { pointer: "/filter/0/settings/when/0/matches".into(), sentence: "wrong.".into() };
        assert_eq!(file.tell("a.toml", &[problem]), ["a.toml:4: key settings.when[0].matches (filter \"b\"): wrong."]);
    }
}
