//! A place in the order of a list of communications, as cursors have it.

use super::time_span::started;
use crate::store::sql::Value;
use std::fmt;

/// Where a row stands: its value in the order, and its id. Rows that come or go move no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPlace {
    /// None where the order is by id alone.
    pub(super) value: Option<PlaceValue>,
    pub(super) id: String,
}

/// What an order goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PlaceValue {
    /// A duration, or a priority.
    Number(i64),
    /// An account, or a status.
    Text(String),
}

impl From<&PlaceValue> for Value {
    fn from(value: &PlaceValue) -> Self {
        match value {
            PlaceValue::Number(number) => (*number).into(),
            PlaceValue::Text(text) => text.into(),
        }
    }
}

impl LogPlace {
    pub(super) fn of_id(id: String) -> Self {
        Self { value: None, id }
    }

    /// When what stands here started, milliseconds since the epoch.
    pub fn started_at(&self) -> i64 {
        started(&self.id)
    }

    /// Reads an id, or the beginning of one that has all of the time.
    pub(super) fn read_id(id: &str) -> Option<String> {
        let is_id = (14..=36).contains(&id.len())
            && id.bytes().enumerate().all(|(place, byte)| if place == 8 { byte == b'-' } else { is_of_id(byte) });
        is_id.then(|| id.to_owned())
    }
}

fn is_of_id(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-')
}

/// As [`super::LogSort::place`] reads it.
impl fmt::Display for LogPlace {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => Ok(()),
            Some(PlaceValue::Number(number)) => write!(text, "{number}/"),
            Some(PlaceValue::Text(value)) => write!(text, "{value}/"),
        }?;
        text.write_str(&self.id)
    }
}
