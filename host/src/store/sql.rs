//! A statement that is put together from parts: text with numbered placeholders, and the values beside it.

use super::{Engine, StoreError};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{AnyConnection, Arguments, AssertSqlSafe};

/// A value as both databases take it.
#[derive(Debug, Clone)]
pub enum Value {
    /// BIGINT.
    Integer(Option<i64>),
    /// TEXT.
    Text(Option<String>),
    /// BLOB, BYTEA.
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(Some(value))
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Integer(Some(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Integer(Some(value.into()))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Integer(Some(value.into()))
    }
}

impl From<std::borrow::Cow<'_, str>> for Value {
    fn from(value: std::borrow::Cow<'_, str>) -> Self {
        Self::Text(Some(value.into_owned()))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Self::Integer(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(Some(value.clone()))
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}

impl From<&Option<String>> for Value {
    fn from(value: &Option<String>) -> Self {
        Self::Text(value.clone())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

/// Stands for a placeholder until it is known which database is asked. No text of the program has it.
const PLACEHOLDER: char = '\u{1}';

/// A statement under construction. Text is the program's own, always; what comes from outside is bound.
#[derive(Default)]
pub struct Sql {
    text: String,
    arguments: AnyArguments,
    failed: Option<sqlx::Error>,
}

impl Sql {
    /// Starts with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Adds text.
    pub fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a placeholder and its value.
    pub fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        let added = match value.into() {
            Value::Integer(value) => self.arguments.add(value),
            // PostgreSQL's TEXT holds no NUL.
            Value::Text(Some(value)) if value.contains('\0') => self.arguments.add(value.replace('\0', "\u{fffd}")),
            Value::Text(value) => self.arguments.add(value),
            Value::Bytes(value) => self.arguments.add(value),
        };
        if let Err(error) = added {
            self.failed.get_or_insert(sqlx::Error::Encode(error));
        }
        self.text.push(PLACEHOLDER);
        self
    }

    /// Adds `(…, …)` of placeholders.
    pub fn tuple<const N: usize>(&mut self, values: [Value; N]) -> &mut Self {
        self.list(values)
    }

    /// Adds `(…), (…)` of placeholders.
    pub fn tuples<const N: usize>(&mut self, rows: impl IntoIterator<Item = [Value; N]>) -> &mut Self {
        for (place, row) in rows.into_iter().enumerate() {
            self.push(if place == 0 { "" } else { ", " }).tuple(row);
        }
        self
    }

    /// Adds `(…, …)` of placeholders; of no value at all `(NULL)`, which nothing equals.
    pub fn list<V: Into<Value>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        self.text.push('(');
        let mut first = true;
        for value in values {
            if !std::mem::take(&mut first) {
                self.text.push_str(", ");
            }
            self.bind(value);
        }
        self.text.push_str(if first { "NULL)" } else { ")" });
        self
    }

    fn query(
        &mut self,
        connection: &AnyConnection,
    ) -> Result<sqlx::query::Query<'static, sqlx::Any, AnyArguments>, StoreError> {
        if let Some(error) = self.failed.take() {
            return Err(error.into());
        }
        let text = with_placeholders(&std::mem::take(&mut self.text), Engine::of(connection));
        Ok(sqlx::query_with(AssertSqlSafe(text), std::mem::take(&mut self.arguments)))
    }

    /// Runs it and gives the number of rows that it changed.
    pub async fn execute(&mut self, connection: &mut AnyConnection) -> Result<u64, StoreError> {
        Ok(self.query(connection)?.execute(connection).await?.rows_affected())
    }

    /// Runs it and gives all rows.
    pub async fn all(&mut self, connection: &mut AnyConnection) -> Result<Vec<AnyRow>, StoreError> {
        Ok(self.query(connection)?.fetch_all(connection).await?)
    }

    /// Runs it and gives its first row.
    pub async fn optional(&mut self, connection: &mut AnyConnection) -> Result<Option<AnyRow>, StoreError> {
        Ok(self.query(connection)?.fetch_optional(connection).await?)
    }

    /// Runs it and gives its only row.
    pub async fn one(&mut self, connection: &mut AnyConnection) -> Result<AnyRow, StoreError> {
        Ok(self.query(connection)?.fetch_one(connection).await?)
    }
}

/// Numbers the placeholders for PostgreSQL. On SQLite they stay without a name: sqlx asks for the name of each, and
/// SQLite walks all names to find one, so that the cost of named ones would grow with the square of their number.
fn with_placeholders(text: &str, engine: Engine) -> String {
    let mut numbered = String::with_capacity(2 * text.len());
    let mut number = 0_u32;
    for character in text.chars() {
        match (character, engine) {
            (PLACEHOLDER, Engine::Sqlite) => numbered.push('?'),
            (PLACEHOLDER, Engine::Postgres) => {
                number += 1;
                numbered.push('$');
                numbered.push_str(&number.to_string());
            }
            (other, _) => numbered.push(other),
        }
    }
    numbered
}

/// Cuts rows into pieces of few different sizes, so that the texts of statements for many rows repeat and stay
/// prepared.
pub fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    const SIZES: [usize; 4] = [64, 16, 4, 1];
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        Some(piece)
    })
}

/// Escapes what LIKE would read as a pattern; the statement says `ESCAPE '\'`.
pub fn escape_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

/// The LIKE pattern of texts that contain this one.
pub fn contains_pattern(text: &str) -> String {
    format!("%{}%", escape_pattern(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_all_rows_in_order_in_few_sizes() {
        let rows: Vec<u32> = (0..205).collect();
        let cut: Vec<&[u32]> = pieces(&rows).collect();
        assert_eq!(cut.concat(), rows);
        assert_eq!(cut.iter().map(|piece| piece.len()).collect::<Vec<_>>(), [64, 64, 64, 4, 4, 4, 1]);
        assert_eq!(pieces::<u32>(&[]).count(), 0);
    }

    #[test]
    fn placeholders_are_numbered_where_the_database_asks_for_it() {
        let mut sql = Sql::new("UPDATE a SET b = ");
        sql.bind(1_i64).push(" WHERE c IN ").list([2_i64, 3]);
        assert_eq!(with_placeholders(&sql.text, Engine::Postgres), "UPDATE a SET b = $1 WHERE c IN ($2, $3)");
        assert_eq!(with_placeholders(&sql.text, Engine::Sqlite), "UPDATE a SET b = ? WHERE c IN (?, ?)");
    }

    #[test]
    fn a_search_text_is_no_pattern() {
        assert_eq!(contains_pattern(r"50%_\"), r"%50\%\_\\%");
    }
}
