//! Lists of communications: which, in which order, from which place on.
//!
//! Newest or oldest first, a list is read in slices of so many rows of the narrowest index that there is for what is
//! asked, until there are enough of them or the time is up: then it says how far it came. In any other order all that
//! are asked for have to be looked at for each page.

use super::place::{LogPlace, PlaceValue};
use super::sums::DAY;
use super::time_span::first_id;
use super::{COLUMNS, read};
use crate::store::StoreError;
use crate::store::sql::{Sql, contains_pattern};
use postigo_model::communication::{CommunicationKind, CommunicationRecord, CommunicationStatus, Direction, Priority};
use sqlx::{AnyConnection, Row};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Which communications a list has.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Started at or after, milliseconds since the epoch.
    pub since: Option<i64>,
    /// Started before, milliseconds since the epoch.
    pub until: Option<i64>,
    /// Of the account, or going out the transport, of this name.
    pub account: Option<String>,
    /// That go this way.
    pub direction: Option<Direction>,
    /// Of this kind.
    pub kind: Option<CommunicationKind>,
    /// Of the mails that are articles of the ticket with this number now, or are answers to one.
    pub ticket: Option<String>,
    /// Of the mails that the filter of this name matched, or failed on.
    pub filter: Option<String>,
    /// Of the messages that this connection brought.
    pub parent: Option<String>,
    /// With this status.
    pub status: Option<CommunicationStatus>,
    /// Whose highest priority is this or above.
    pub priority: Option<Priority>,
    /// With this text in addresses, subject, Message-ID or account, case ignored.
    pub search: Option<String>,
    /// In which order.
    pub sort: LogSort,
    /// In the opposite order.
    pub reverse: bool,
    /// Past this place of the order.
    pub past: Option<LogPlace>,
    /// So many at most.
    pub limit: i64,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogSort {
    /// Last started first.
    #[default]
    Newest,
    /// First started first.
    Oldest,
    /// Longest first.
    Duration,
    /// By account, last started first.
    Account,
    /// By status, last started first.
    Status,
    /// Highest priority first, last started first.
    Priority,
}

/// How rows are put in order: by a value, then by id.
#[derive(Clone, Copy)]
struct Order {
    /// An expression; none: by id alone.
    value: Option<&'static str>,
    /// Whether the largest value comes first.
    falls: bool,
    /// Whether the last to start comes first.
    newest_first: bool,
}

const TOOK: &str = "COALESCE(took, ended_at - started_at, 0)";

impl LogSort {
    /// With their names.
    const ALL: [(Self, &'static str); 6] = [
        (Self::Newest, "newest"),
        (Self::Oldest, "oldest"),
        (Self::Duration, "duration"),
        (Self::Account, "account"),
        (Self::Status, "status"),
        (Self::Priority, "priority"),
    ];

    /// Reads a place in this order, as it writes itself; none where it is of another one.
    pub fn place(self, text: &str) -> Option<LogPlace> {
        if self.order(false).value.is_none() {
            return Some(LogPlace::of_id(LogPlace::read_id(text)?));
        }
        let (value, id) = text.rsplit_once('/')?;
        let value = match self {
            Self::Account | Self::Status => PlaceValue::Text(value.to_owned()),
            _ => PlaceValue::Number(value.parse().ok()?),
        };
        Some(LogPlace { value: Some(value), id: LogPlace::read_id(id)? })
    }

    fn order(self, reverse: bool) -> Order {
        let (value, falls, newest_first) = match self {
            Self::Newest => (None, false, true),
            Self::Oldest => (None, false, false),
            Self::Duration => (Some(TOOK), true, true),
            Self::Account => (Some("account"), false, true),
            Self::Status => (Some("status"), false, true),
            Self::Priority => (Some("priority"), true, true),
        };
        Order { value, falls: falls != reverse, newest_first: newest_first != reverse }
    }
}

impl FromStr for LogSort {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name).map(|(sort, _)| *sort);
        found.ok_or_else(|| {
            format!("\"{name}\" is no order; there are: {}.", Self::ALL.map(|(_, name)| name).join(", "))
        })
    }
}

/// Communications in their order, each with its place.
#[derive(Debug, Default)]
pub struct LogPage {
    /// The rows, without their entries.
    pub rows: Vec<(LogPlace, CommunicationRecord)>,
    /// Where the time was up: what lies past this place was not looked at. None: there are enough rows, or no more.
    pub searched_to: Option<LogPlace>,
}

/// All communications that are asked for, without their entries.
pub async fn list(connection: &mut AnyConnection, filter: &LogFilter) -> Result<Vec<CommunicationRecord>, StoreError> {
    let page = page(connection, filter, Duration::MAX).await?;
    Ok(page.rows.into_iter().map(|(_, record)| record).collect())
}

/// The communications that are asked for and are found within this time, but for the orders that need all of them.
pub async fn page(connection: &mut AnyConnection, filter: &LogFilter, budget: Duration) -> Result<LogPage, StoreError> {
    let order = filter.sort.order(filter.reverse);
    let source = Source::of(filter);
    if order.value.is_some() {
        let mut sql = select(order);
        if let Some(since) = filter.since {
            // Empty fetches reach to the last of them: less than a day.
            sql.push(" AND id >= ").bind(first_id(since.saturating_sub(REACH)));
            sql.push(" AND (id >= ").bind(first_id(since)).push(" OR ");
            reaching(&mut sql, since);
            sql.push(")");
        }
        if let Some(until) = filter.until {
            sql.push(" AND id < ").bind(first_id(until));
        }
        past(&mut sql, order, filter.past.as_ref());
        conditions(&mut sql, filter, &IdRange::default());
        let rows = found(connection, &mut sql, order, filter.limit).await?;
        return Ok(LogPage { rows, searched_to: None });
    }
    let begun = Instant::now();
    let mut page = LogPage::default();
    let (mut at_once, mut is_first) = (FIRST_SLICE, true);
    for mut range in ranges(filter, order.newest_first) {
        while !range.is_empty() {
            let wanted = filter.limit - page.rows.len() as i64;
            if wanted <= 0 {
                return Ok(page);
            }
            if !std::mem::take(&mut is_first) && begun.elapsed() >= budget {
                page.searched_to = Some(LogPlace::of_id(range.begin(order.newest_first)));
                return Ok(page);
            }
            let asked = Instant::now();
            let slice = range.cut(connection, (source, filter), order.newest_first, at_once).await?;
            let mut sql = select(order);
            slice.condition(&mut sql);
            if let Some(since) = slice.last_since {
                sql.push(" AND ");
                reaching(&mut sql, since);
            }
            conditions(&mut sql, filter, &slice);
            page.rows.extend(found(connection, &mut sql, order, wanted).await?);
            if asked.elapsed() < SHORT && at_once < LARGEST_SLICE {
                at_once *= 2;
            }
        }
    }
    Ok(page)
}

/// Rows of the first slice; where one took less than this time, the next has twice as many.
const FIRST_SLICE: i64 = 2_000;
const SHORT: Duration = Duration::from_millis(15);
const LARGEST_SLICE: i64 = 16_000;

/// Empty fetches of a day may have begun so many milliseconds before the last of them, and before their row's id was
/// drawn.
const REACH: i64 = DAY + 60_000;

/// What slices are cut from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Nothing: an index has what is asked for, or every row is asked for.
    Index,
    /// The communications that a filter had to do with.
    Filter,
    /// Those that went wrong, or had a warning.
    Trouble,
    /// All of them.
    All,
}

/// The condition of the index `communication_trouble`, in its words.
const TROUBLE: &str = " AND (status IN ('warning', 'failed') OR priority >= 3)";

impl Source {
    fn of(filter: &LogFilter) -> Self {
        let LogFilter { account, direction, kind, ticket, filter: name, parent, status, priority, search, .. } = filter;
        let is_trouble = matches!(status, Some(CommunicationStatus::Failed | CommunicationStatus::Warning))
            || priority.is_some_and(|priority| priority >= Priority::Warning);
        let has_index = ticket.is_some() || parent.is_some() || *status == Some(CommunicationStatus::Processing);
        let wants_all =
            account.is_none() && direction.is_none() && kind.is_none() && status.is_none() && search.is_none();
        if has_index {
            Self::Index
        } else if name.is_some() {
            Self::Filter
        } else if is_trouble {
            Self::Trouble
        } else if wants_all && priority.is_none() {
            Self::Index
        } else {
            Self::All
        }
    }
}

/// A range of ids.
#[derive(Debug, Default)]
struct IdRange {
    /// From this one on.
    from: Option<String>,
    /// Past this one.
    past: Option<String>,
    /// Before this one.
    before: Option<String>,
    /// Only empty fetches whose last began at or after this time, milliseconds since the epoch.
    last_since: Option<i64>,
    is_done: bool,
}

/// The ranges that are looked through, in their order: what started in the span of time, and the empty fetches that began
/// before it and reach into it.
fn ranges(filter: &LogFilter, newest_first: bool) -> Vec<IdRange> {
    let until = filter.until.map(first_id);
    let whole = IdRange { from: filter.since.map(first_id), before: until.clone(), ..IdRange::default() };
    let mut ranges = vec![whole];
    if let Some(since) = filter.since {
        let from = Some(first_id(since.saturating_sub(REACH)));
        // Whatever is empty does no harm.
        let before = Some(first_id(since)).into_iter().chain(until).min();
        let reaching = IdRange { from, before, last_since: Some(since), ..IdRange::default() };
        ranges.insert(usize::from(newest_first), reaching);
    }
    if let Some(place) = &filter.past {
        for range in &mut ranges {
            if newest_first {
                range.before = range.before.take().into_iter().chain([place.id.clone()]).min();
            } else {
                range.past = Some(place.id.clone());
            }
        }
    }
    ranges
}

impl IdRange {
    fn is_empty(&self) -> bool {
        let begins = self.from.as_ref().max(self.past.as_ref());
        self.is_done || begins.zip(self.before.as_ref()).is_some_and(|(begins, before)| begins >= before)
    }

    /// The id that all of it comes after, in its order; after something was cut off, there is one.
    fn begin(&self, newest_first: bool) -> String {
        let (from, past, before) = (self.from.clone(), self.past.clone(), self.before.clone());
        if newest_first { before.unwrap_or_default() } else { past.max(from).unwrap_or_default() }
    }

    fn condition(&self, sql: &mut Sql) {
        for (comparison, id) in [(" AND id >= ", &self.from), (" AND id > ", &self.past), (" AND id < ", &self.before)]
        {
            if let Some(id) = id {
                sql.push(comparison).bind(id);
            }
        }
    }

    /// Takes a slice of so many rows of the source off its beginning.
    async fn cut(
        &mut self,
        connection: &mut AnyConnection,
        (source, filter): (Source, &LogFilter),
        newest_first: bool,
        rows: i64,
    ) -> Result<Self, StoreError> {
        let all = Self {
            from: self.from.clone(),
            past: self.past.clone(),
            before: self.before.clone(),
            last_since: self.last_since,
            is_done: false,
        };
        if self.last_since.is_some() || source == Source::Index {
            self.is_done = true;
            return Ok(all);
        }
        let mut sql = Sql::new("SELECT id FROM ");
        match (source, &filter.filter) {
            (Source::Filter, Some(name)) => sql.push("communication_filter WHERE filter = ").bind(name),
            (Source::Trouble, _) => sql.push("communication WHERE 1 = 1").push(TROUBLE),
            _ => sql.push("communication WHERE 1 = 1"),
        };
        self.condition(&mut sql);
        sql.push(" ORDER BY id").push(if newest_first { " DESC" } else { "" });
        let row = sql.push(" LIMIT 1 OFFSET ").bind(rows - 1).optional(connection).await?;
        let Some(end) = row.map(|row| row.try_get::<String, _>(0)).transpose()? else {
            self.is_done = true;
            return Ok(all);
        };
        if newest_first {
            self.before = Some(end.clone());
            return Ok(Self { from: Some(end), ..all });
        }
        self.past = Some(end.clone());
        // Nothing lies between an id and the same with one more character.
        Ok(Self { before: Some(end + " "), ..all })
    }
}

/// The condition of empty fetches the last of which began at or after this time.
fn reaching(sql: &mut Sql, since: i64) {
    sql.push("id IN (SELECT id FROM communication WHERE last_at IS NOT NULL AND last_at >= ").bind(since).push(")");
}

fn select(order: Order) -> Sql {
    Sql::new(format!("SELECT {COLUMNS}, {} FROM communication WHERE 1 = 1", order.value.unwrap_or("0")))
}

/// Adds the condition that rows come after a place.
fn past(sql: &mut Sql, order: Order, place: Option<&LogPlace>) {
    let Some(LogPlace { value, id }) = place else { return };
    let after = |falls: bool| if falls { " < " } else { " > " };
    match (order.value, value) {
        (Some(expression), Some(value)) => {
            sql.push(" AND (").push(expression).push(after(order.falls)).bind(value);
            sql.push(" OR (").push(expression).push(" = ").bind(value);
            sql.push(" AND id").push(after(order.newest_first)).bind(id).push("))");
        }
        _ => _ = sql.push(" AND id").push(after(order.newest_first)).bind(id),
    }
}

/// Adds the conditions of a filter, `within` these ids.
fn conditions(sql: &mut Sql, filter: &LogFilter, within: &IdRange) {
    if let Some(account) = &filter.account {
        sql.push(" AND account = ").bind(account);
    }
    if let Some(direction) = filter.direction {
        sql.push(" AND direction = ").bind(direction.name());
    }
    if let Some(kind) = filter.kind {
        sql.push(" AND kind = ").bind(kind.name());
    }
    if let Some(number) = &filter.ticket {
        sql.push(" AND article_id IN (SELECT article.id FROM ticket JOIN article ON article.ticket_id = ticket.id WHERE ticket.number = ");
        sql.bind(number).push(")");
    }
    if let Some(name) = &filter.filter {
        sql.push(" AND id IN (SELECT id FROM communication_filter WHERE filter = ").bind(name);
        within.condition(sql);
        sql.push(")");
    }
    if let Some(parent) = &filter.parent {
        sql.push(" AND parent = ").bind(parent);
    }
    if Source::of(filter) == Source::Trouble {
        sql.push(TROUBLE);
    }
    match filter.status {
        // Else SQLite reads all rows, since they are in order, rather than the index of those that run.
        Some(CommunicationStatus::Processing) => {
            sql.push(" AND id IN (SELECT id FROM communication WHERE status = 'processing')");
        }
        Some(status) => _ = sql.push(" AND status = ").bind(status.name()),
        None => {}
    }
    if let Some(priority) = filter.priority {
        sql.push(" AND priority >= ").bind(i64::from(priority as u8));
    }
    if let Some(text) = &filter.search {
        let pattern = contains_pattern(&text.to_lowercase());
        sql.push(" AND (search LIKE ")
            .bind(&pattern)
            .push(" ESCAPE '\\' OR LOWER(account) LIKE ")
            .bind(&pattern)
            .push(" ESCAPE '\\')");
    }
}

/// Runs a statement of [`select`] in its order.
async fn found(
    connection: &mut AnyConnection,
    sql: &mut Sql,
    order: Order,
    limit: i64,
) -> Result<Vec<(LogPlace, CommunicationRecord)>, StoreError> {
    sql.push(" ORDER BY ");
    if let Some(expression) = order.value {
        sql.push(expression).push(if order.falls { " DESC, " } else { ", " });
    }
    sql.push("id").push(if order.newest_first { " DESC" } else { "" });
    let rows = sql.push(" LIMIT ").bind(limit).all(connection).await?;
    let placed = |row| {
        let record = read(row)?;
        let value = match order.value {
            None => None,
            Some("account" | "status") => Some(PlaceValue::Text(row.try_get(VALUE)?)),
            Some(_) => Some(PlaceValue::Number(row.try_get(VALUE)?)),
        };
        Ok((LogPlace { value, id: record.id.clone() }, record))
    };
    rows.iter().map(placed).collect()
}

/// Where [`select`] has the value of the order: after [`COLUMNS`].
const VALUE: usize = 20;
