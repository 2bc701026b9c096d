//! Rows of the database: lists that are read page by page, and rows that are named by their ids.

use super::{CommandError, Context};
use serde_json::json;

/// So many rows are read at once.
const PAGE: usize = 1_000;

/// Reads a list to its end, at most `limit` rows of it. `page` is told how many rows are wanted, and which are there
/// already.
pub async fn read<T>(
    limit: Option<usize>,
    mut page: impl AsyncFnMut(i64, &[T]) -> Result<Vec<T>, CommandError>,
) -> Result<Vec<T>, CommandError> {
    let mut found: Vec<T> = Vec::new();
    loop {
        let wanted = limit.unwrap_or(usize::MAX).saturating_sub(found.len()).min(PAGE);
        let rows = if wanted == 0 { Vec::new() } else { page(wanted as i64, &found).await? };
        let is_last = rows.len() < PAGE;
        found.extend(rows);
        if is_last {
            return Ok(found);
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
