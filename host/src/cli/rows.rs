//! Rows of the database: lists that are read page by page, and rows that are named by their ids.

use super::{CommandError, Context};
use serde::Serialize;
use serde_json::{Value, json};

/// So many rows are read at once.
const PAGE: usize = 1_000;

/// Rows of a list.
pub struct FoundRows<T> {
    /// As many as were wanted, at most.
    pub rows: Vec<T>,
    /// Whether there are more.
    pub has_more: bool,
}

impl<T> FoundRows<T> {
    /// At most `limit` of these.
    pub fn of(rows: impl IntoIterator<Item = T>, limit: Option<usize>) -> Self {
        let mut rows = rows.into_iter();
        let taken = rows.by_ref().take(limit.unwrap_or(usize::MAX)).collect();
        Self { rows: taken, has_more: rows.next().is_some() }
    }

    /// The rows as they are shown.
    pub fn documents(self) -> Result<FoundRows<Value>, CommandError>
    where
        T: Serialize,
    {
        let rows = self.rows.into_iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        Ok(FoundRows { rows, has_more: self.has_more })
    }

    /// Says, where there are more than are shown, that there are.
    pub fn tell_more(&self, context: &Context) {
        if self.has_more {
            let shown = self.rows.len();
            context.output().aside(&format!("There are more than these {shown}; --limit N shows more of them."));
        }
    }
}

/// Reads a list to its end, at most `limit` rows of it, and looks whether there are more. `page` is told how many rows
/// are wanted, and which are there already.
pub async fn read<T>(
    limit: Option<usize>,
    mut page: impl AsyncFnMut(i64, &[T]) -> Result<Vec<T>, CommandError>,
) -> Result<FoundRows<T>, CommandError> {
    let most = limit.map_or(usize::MAX, |limit| limit.saturating_add(1));
    let mut found: Vec<T> = Vec::new();
    loop {
        let wanted = most.saturating_sub(found.len()).min(PAGE);
        let rows = if wanted == 0 { Vec::new() } else { page(wanted as i64, &found).await? };
        let is_last = rows.len() < PAGE;
        found.extend(rows);
        if is_last {
            return Ok(FoundRows::of(found, limit));
        }
    }
}

/// Rows that something is done with.
#[derive(Debug, clap::Args)]
pub struct Ids {
    /// Their ids
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<i64>,
}

impl Ids {
    /// Tells what was done with them; `what` names one, and several.
    pub fn tell(&self, what: [&str; 2], done: &str, context: &Context) {
        context.output().document(&json!({ done: self.ids }), || match self.ids[..] {
            [id] => format!("{} {id} is {done}.\n", what[0]),
            _ => format!("{} {} are {done}.\n", self.ids.len(), what[1]),
        });
    }
}
