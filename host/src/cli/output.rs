//! Standard output: tables for people, JSON for programs.

use super::printable;
pub use super::printable::one_line as printable;
use super::zone;
use serde_json::Value;
use std::io::{ErrorKind, Write};

/// Where a command prints its results.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
}

/// Rows under headings, in columns as wide as their widest cell.
#[derive(Debug)]
pub struct TextTable {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// A list: one line of JSON each, or a table that `row` fills.
    pub fn list(self, headings: &[&'static str], items: &[Value], row: impl Fn(&Value) -> Vec<String>) {
        if self.json {
            for item in items {
                self.json_line(item);
            }
        } else {
            let mut table = TextTable::new(headings);
            for item in items {
                table.row(row(item));
            }
            self.text(&table.to_string());
        }
    }

    /// One document: JSON, or the text that `human` gives.
    pub fn document(self, document: &Value, human: impl FnOnce() -> String) {
        if self.json {
            self.json_line(document);
        } else {
            self.text(&human());
        }
    }

    /// A sentence for people beside a document, on standard error: programs that read the document get none.
    pub fn aside(self, sentence: &str) {
        if !self.json {
            eprintln!("{}", printable::lines(sentence));
        }
    }

    fn json_line(self, document: &Value) {
        self.bytes((printable::json(document.to_string()) + "\n").as_bytes());
    }

    /// Text of several lines; what a terminal would obey in it is shown.
    pub fn text(self, text: &str) {
        self.bytes(printable::lines(text).as_bytes());
    }

    /// Bytes as they are.
    pub fn bytes(self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        if let Err(error) = stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            // A reader that has seen enough (`| head`) is no problem; anything else is told, and nothing more can be
            // printed.
            if error.kind() != ErrorKind::BrokenPipe {
                eprintln!("The result could not be printed: {error}.");
            }
            std::process::exit(i32::from(error.kind() != ErrorKind::BrokenPipe));
        }
    }
}

impl TextTable {
    /// An empty table.
    pub fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; control characters in it are shown as `?`, so that a mail cannot command a terminal.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.into_iter().map(|cell| printable(&cell)).collect());
    }
}

impl std::fmt::Display for TextTable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut widths: Vec<usize> = self.headings.iter().map(|heading| heading.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let headings: Vec<String> = self.headings.iter().map(|heading| (*heading).to_owned()).collect();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let line: Vec<String> = widths.iter().zip(row).map(|(width, cell)| format!("{cell:<width$}")).collect();
            writeln!(formatter, "{}", line.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// A field of an object for a table: texts as they are, lists with commas between, nothing for null.
pub fn word(object: &Value, key: &str) -> String {
    match object.get(key) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if is_time(key) => zone::shown(text),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(", "),
        Some(other) => other.to_string(),
    }
}

/// Whether a field of this name has a time, in all that is shown.
fn is_time(key: &str) -> bool {
    key.ends_with("_at") || matches!(key, "at" | "date" | "last" | "last_match" | "pending_until" | "since" | "until")
}

/// An object for people: a line for every field that is not empty, the names in a column.
pub fn lines(object: &Value) -> String {
    let fields = object
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| (key, word(object, key)))
        .filter(|(_, value)| !value.is_empty());
    let fields: Vec<_> = fields.collect();
    let width = fields.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    fields
        .into_iter()
        .fold(String::new(), |text, (key, value)| text + &format!("{key:<width$}  {}\n", printable(&value)))
}

#[cfg(test)]
mod tests {
    use super::TextTable;

    #[test]
    fn columns_are_aligned_and_control_characters_are_shown() {
        let mut table = TextTable::new(&["name", "state"]);
        table.row(vec!["Übergabe".into(), "on".into()]);
        table.row(vec!["a\u{1b}[2J".into(), "off".into()]);
        assert_eq!(table.to_string(), "name      state\nÜbergabe  on\na?[2J     off\n");
    }
}
