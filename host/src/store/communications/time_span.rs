//! Ids are UUIDs of version 7, so a span of time is a span of the primary key.

use crate::store::sql::Sql;

/// The last time that an id can have, in milliseconds since the epoch.
const LAST: i64 = 0xffff_ffff_ffff;

/// The first id of this time, in milliseconds since the epoch.
pub fn first_id(at: i64) -> String {
    let at = at.clamp(0, LAST);
    format!("{:08x}-{:04x}-", at >> 16, at & 0xffff)
}

/// The time in an id, in milliseconds since the epoch.
pub fn started(id: &str) -> i64 {
    let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    i64::from_str_radix(&digits, 16).unwrap_or_default()
}

/// Adds the condition that a communication started before this time, if any.
pub fn before(sql: &mut Sql, until: Option<i64>) {
    if let Some(until) = until {
        sql.push(" AND id < ").bind(first_id(until));
    }
}
