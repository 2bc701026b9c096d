//! Lists in pages: `?limit=` and an opaque `?cursor=`, with the next page's address in the answer and in a Link header
//! (RFC 8288).
//!
//! A cursor holds where the last page ended (a name or a row id), not how many rows to skip: what is added or removed
//! meanwhile neither doubles nor hides a row of the pages that follow.
//!
//! A page ends at so many rows or so many bytes, whatever comes first: what strangers wrote into rows makes no answer
//! larger.

use super::problem::Problem;
use crate::service::ServiceError;
use axum::extract::Request;
use axum::http::{HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use postigo_model::timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// Rows of a page where the request does not say.
pub const DEFAULT_LIMIT: u32 = 50;
/// The most rows of a page.
pub const MAX_LIMIT: u32 = 500;
/// Bytes of a page as JSON: it ends before the row with which it would have more, but has one row at least.
const MAX_BYTES: usize = 4 << 20;

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

/// The query parameters of a list of configured things.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only things with this text somewhere in them, case ignored.
    pub search: Option<String>,
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
    /// Only where it took long to look through the list: this page has what there is up to this time, be it nothing, and the
    /// next one what comes after.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub searched_until: Option<String>,
}

/// A list is looked through for so long; then the page has what was found.
pub const SEARCHED_WITHIN: Duration = Duration::from_millis(80);

impl PageQuery {
    /// How many rows, checked.
    pub fn limit(&self) -> Result<u32, Problem> {
        match self.limit {
            None => Ok(DEFAULT_LIMIT),
            Some(limit @ 1..=MAX_LIMIT) => Ok(limit),
            Some(limit) => {
                Err(Problem::bad_parameter("limit", format!("The limit must be 1 to {MAX_LIMIT}, not {limit}.")))
            }
        }
    }

    /// Where the page before ended, as its [`Page`] wrote it.
    pub fn after<K: std::str::FromStr>(&self) -> Result<Option<K>, Problem> {
        self.place(|text| text.parse().ok())
    }

    /// [`Self::after`], read by `read`.
    pub fn place<K>(&self, read: impl FnOnce(&str) -> Option<K>) -> Result<Option<K>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
        let place = bytes.and_then(|bytes| read(std::str::from_utf8(&bytes).ok()?));
        let wrong =
            || Problem::bad_parameter("cursor", "The cursor is not one that this list gave; begin again without one.");
        place.map(Some).ok_or_else(wrong)
    }
}

impl PageQuery {
    /// The page of a list that is read from where it lies: `read` gives the rows after a place, at most so many, and
    /// `key` is the place of a row.
    pub async fn read<K, T, F>(
        &self,
        key: impl Fn(&T) -> String,
        read: impl FnOnce(Option<K>, i64) -> F,
    ) -> Result<Page<T>, Problem>
    where
        K: std::str::FromStr,
        T: Serialize,
        F: Future<Output = Result<Vec<T>, ServiceError>>,
    {
        let limit = self.limit()?;
        let rows = read(self.after()?, i64::from(limit) + 1).await?;
        Ok(Page::of(rows, limit, key, |row| row))
    }
}

/// Writes a cursor that [`PageQuery::after`] reads.
pub fn cursor(key: &dyn std::fmt::Display) -> String {
    URL_SAFE_NO_PAD.encode(key.to_string())
}

impl<T: Serialize> Page<T> {
    /// Makes a page of rows, one more than the limit where there are more: that tells whether there is a next page.
    /// `key` is where the page after this row begins, `show` the row as it is answered.
    pub fn of<R>(
        rows: impl IntoIterator<Item = R>,
        limit: u32,
        key: impl Fn(&R) -> String,
        show: impl Fn(R) -> T,
    ) -> Self {
        let (mut items, mut bytes, mut last) = (Vec::new(), 0, None);
        for row in rows {
            let place = key(&row);
            let item = show(row);
            bytes += size(&item);
            if items.len() == limit as usize || (bytes > MAX_BYTES && !items.is_empty()) {
                return Self { items, next_cursor: last.map(|last: String| cursor(&last)), searched_until: None };
            }
            items.push(item);
            last = Some(place);
        }
        Self { items, next_cursor: None, searched_until: None }
    }

    /// A page whose rows end where the time was up, at this place: the next one goes on there. `started_at` is its time,
    /// milliseconds since the epoch. A page that was full before has its cursor already.
    pub fn searched_until(mut self, place: &dyn std::fmt::Display, started_at: i64) -> Self {
        if self.next_cursor.is_none() {
            self.next_cursor = Some(cursor(place));
            self.searched_until = Some(timestamp::rfc3339(started_at));
        }
        self
    }

    /// A page of a list that is in memory, in the order of its keys.
    pub fn cut(rows: impl Iterator<Item = T>, query: &PageQuery, key: impl Fn(&T) -> String) -> Result<Self, Problem> {
        let limit = query.limit()?;
        let after: Option<String> = query.after()?;
        let rows = rows.filter(|row| after.as_ref().is_none_or(|after| key(row) > *after));
        Ok(Self::of(rows, limit, &key, |row| row))
    }

    /// The same page with other rows.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(change).collect(),
            next_cursor: self.next_cursor,
            searched_until: self.searched_until,
        }
    }
}

/// The cursor of the page after the one that an answer has, none on the last one; for [`lead_on`].
#[derive(Debug, Clone)]
struct NextCursor(Option<String>);

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let next = NextCursor(self.next_cursor.clone());
        let mut response = axum::Json(self).into_response();
        response.extensions_mut().insert(next);
        response
    }
}

/// Says in the header of each page where the next one is, and the first (RFC 8288).
pub async fn lead_on(request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let mut response = next.run(request).await;
    if let Some(NextCursor(cursor)) = response.extensions_mut().remove()
        && let Ok(links) = HeaderValue::from_str(&links(&uri, cursor.as_deref()))
    {
        response.headers_mut().insert(header::LINK, links);
    }
    response
}

/// The links of a page that this address gave: the same list, from another place on. Without scheme and host, which only
/// the client knows where a proxy stands between.
fn links(uri: &Uri, next: Option<&str>) -> String {
    let query = uri.query().unwrap_or_default();
    let is_cursor = |pair: &str| percent_decode_str(pair.split('=').next().unwrap_or_default()).eq(*b"cursor");
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !is_cursor(pair)).collect();
    let link = |cursor: Option<&str>, relation: &str| {
        let cursor = cursor.map(|cursor| format!("cursor={cursor}"));
        let pairs: Vec<&str> = kept.iter().copied().chain(cursor.as_deref()).collect();
        let mark = if pairs.is_empty() { "" } else { "?" };
        let address = format!("{}{mark}{}", uri.path(), pairs.join("&"));
        format!("<{}>; rel=\"{relation}\"", utf8_percent_encode(&address, NOT_IN_LINK))
    };
    let next = next.map(|cursor| link(Some(cursor), "next"));
    next.into_iter().chain([link(None, "first")]).collect::<Vec<_>>().join(", ")
}

/// What an address may not have between the angle brackets of a link.
const NOT_IN_LINK: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>');

/// Bytes of a row as JSON.
fn size(item: &impl Serialize) -> usize {
    struct Counted(usize);
    impl std::io::Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counted = Counted(0);
    // Counting does not fail; what cannot be written is told when the page is.
    serde_json::to_writer(&mut counted, item).ok();
    counted.0
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
        let second =
            Page::cut(rows.iter().copied(), &query(Some(2), first.next_cursor), |row| (*row).to_owned()).unwrap();
        assert_eq!(second.items, ["c", "d"]);
        let third =
            Page::cut(rows.iter().copied(), &query(Some(2), second.next_cursor), |row| (*row).to_owned()).unwrap();
        assert_eq!((third.items, third.next_cursor), (vec!["e"], None));
    }

    #[test]
    fn a_page_of_large_rows_ends_early_and_the_next_one_goes_on() {
        let rows =
            || (0..10).map(|row| format!("{row}{}", "x".repeat(if row == 4 { 2 * MAX_BYTES } else { MAX_BYTES / 3 })));
        let (mut query, mut pages) = (query(Some(500), None), Vec::new());
        loop {
            let page = Page::cut(rows(), &query, |row| row[..1].to_owned()).unwrap();
            pages.push(page.items.iter().map(|row| row[..1].to_owned()).collect::<String>());
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                break;
            }
        }
        assert_eq!(pages, ["01", "23", "4", "56", "78", "9"], "the large one comes alone");
    }

    #[test]
    fn links_lead_to_the_same_list_from_another_place_on() {
        let of = |address: &str, next| links(&address.parse().unwrap(), next);
        assert_eq!(
            of("http://localhost:8025/api/v1/tickets?queue=Raw%26x&cursor=b2xk&limit=2", Some("bmV3")),
            "</api/v1/tickets?queue=Raw%26x&limit=2&cursor=bmV3>; rel=\"next\", </api/v1/tickets?queue=Raw%26x&limit=2>; rel=\"first\""
        );
        assert_eq!(of("/api/v1/spool", None), "</api/v1/spool>; rel=\"first\"");
        assert_eq!(
            of("/api/v1/spool?c%75rsor=b2xk", None),
            "</api/v1/spool>; rel=\"first\"",
            "a cursor, however written"
        );
    }

    #[test]
    fn a_page_says_how_far_was_searched_unless_its_rows_fill_it() {
        let rows = |count: u8| (0..count).map(|row| row.to_string());
        let of = |count| Page::of(rows(count), 2, String::clone, |row| row).searched_until(&"far", 1_000);
        let short = of(1);
        assert_eq!(
            (short.next_cursor, short.searched_until.as_deref()),
            (Some(cursor(&"far")), Some("1970-01-01T00:00:01Z"))
        );
        let full = of(3);
        assert_eq!((full.next_cursor, full.searched_until), (Some(cursor(&"1")), None));
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
