//! Lists in pages: `?limit=` and an opaque `?cursor=`, with the next page's address in the answer and in a Link header (RFC 8288).
//!
//! A cursor holds where the last page ended (a name or a row id), not how many rows to skip: what is added or removed meanwhile neither
//! doubles nor hides a row of the pages that follow.

use super::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Rows of a page where the request does not say.
pub const DEFAULT_LIMIT: u32 = 50;
/// The most rows of a page.
pub const MAX_LIMIT: u32 = 500;

/// The query parameters of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Rows of the page, 1 to 500; 50 if left out.
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl PageQuery {
    /// How many rows, checked.
    pub fn limit(&self) -> Result<u32, Problem> {
        match self.limit {
            None => Ok(DEFAULT_LIMIT),
            Some(limit @ 1..=MAX_LIMIT) => Ok(limit),
            Some(limit) => Err(Problem::bad_parameter("limit", format!("The limit must be 1 to {MAX_LIMIT}, not {limit}."))),
        }
    }

    /// Where the page before ended, as its [`Page`] wrote it.
    pub fn after<K: std::str::FromStr>(&self) -> Result<Option<K>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let wrong = || Problem::bad_parameter("cursor", "The cursor is not one that this list gave; begin again without one.");
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        text.parse().map(Some).map_err(|_| wrong())
    }
}

/// Writes a cursor that [`PageQuery::after`] reads.
pub fn cursor(key: &dyn std::fmt::Display) -> String {
    URL_SAFE_NO_PAD.encode(key.to_string())
}

impl<T> Page<T> {
    /// Makes a page of rows that were read with one more than the limit, which tells whether there is a next page.
    pub fn of(mut rows: Vec<T>, limit: u32, key: impl Fn(&T) -> String) -> Self {
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = if more { rows.last().map(|row| cursor(&key(row))) } else { None };
        Self { items: rows, next_cursor }
    }

    /// A page of a list that is in memory, in the order of its keys.
    pub fn cut(rows: impl Iterator<Item = T>, query: &PageQuery, key: impl Fn(&T) -> String) -> Result<Self, Problem> {
        let limit = query.limit()?;
        let after: Option<String> = query.after()?;
        let rows = rows.filter(|row| after.as_ref().is_none_or(|after| key(row) > *after)).take(limit as usize + 1).collect();
        Ok(Self::of(rows, limit, key))
    }

    /// The same page with other rows.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next_cursor: self.next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(limit: Option<u32>, cursor: Option<String>) -> PageQuery {
        PageQuery { limit, cursor }
    }

    #[test]
    fn pages_follow_each_other_without_a_gap_while_rows_come_and_go() {
        let mut rows = vec!["a", "b", "c", "d", "e"];
        let first = Page::cut(rows.iter().copied(), &query(Some(2), None), |row| (*row).to_owned()).unwrap();
        assert_eq!(first.items, ["a", "b"]);
        rows.retain(|row| *row != "b");
        let second = Page::cut(rows.iter().copied(), &query(Some(2), first.next_cursor), |row| (*row).to_owned()).unwrap();
        assert_eq!(second.items, ["c", "d"]);
        let third = Page::cut(rows.iter().copied(), &query(Some(2), second.next_cursor), |row| (*row).to_owned()).unwrap();
        assert_eq!((third.items, third.next_cursor), (vec!["e"], None));
    }

    #[test]
    fn wrong_limits_and_cursors_are_named() {
        for limit in [0, MAX_LIMIT + 1] {
            assert_eq!(query(Some(limit), None).limit().unwrap_err().errors[0].parameter.as_deref(), Some("limit"));
        }
        for cursor in ["%%", "bm90LWEtbnVtYmVy", "gICA"] {
            let problem = query(None, Some(cursor.to_owned())).after::<i64>().unwrap_err();
            assert_eq!(problem.errors[0].parameter.as_deref(), Some("cursor"));
        }
    }
}
