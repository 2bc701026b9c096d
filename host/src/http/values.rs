//! How much memory reading a JSON body takes, known before anything is made of it.
//!
//! A value of two bytes, such as `0,`, takes a hundred times as many once it is read. So the values are counted first,
//! which takes no memory: a body of more of them than anybody means is refused, and the room that bodies share reckons
//! with what comes of the others.

use crate::config;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The largest JSON body, in bytes, but for those with files.
pub const MAX_JSON: usize = 1 << 20;
/// So many texts, numbers, lists and tables a body may have: as many as the settings of a filter, and some beside them.
pub const MOST_VALUES: usize = config::MOST_VALUES + 1_000;
/// So many bytes a value takes at most, beside those of its text.
const EACH: u64 = 512;

/// How many bytes reading a body takes and what was read keeps, beside the body itself; none where it has too many
/// values. What is no JSON is reckoned with as far as it is, for no more of it is read. A larger body than any other
/// may be is nearly all files: their texts are reckoned with once, with the body, for twice, the largest that is taken
/// would have room nowhere.
pub fn reckoned(body: &[u8]) -> Option<u64> {
    let mut seen = 0;
    let read = Counter(&mut seen).deserialize(&mut serde_json::Deserializer::from_slice(body));
    // Whatever else is wrong with it is told with its place when it is read.
    drop(read);
    let texts = if body.len() > MAX_JSON { 0 } else { body.len() };
    (seen <= MOST_VALUES).then_some(texts as u64 + EACH * seen as u64)
}

/// Counts a value and all in it, and stops where there are too many.
struct Counter<'c>(&'c mut usize);

impl<'de> DeserializeSeed<'de> for Counter<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        *self.0 += 1;
        if *self.0 > MOST_VALUES {
            return Err(D::Error::custom("there are too many values"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counter<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Counter(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while fields.next_key::<IgnoredAny>()?.is_some() {
            fields.next_value_seed(Counter(&mut *self.0))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_counts_once_and_keys_do_not() {
        for (body, values) in [
            ("null", 1),
            (r#"{"a": [1, -2, 3.5, true, null, "t\n"], "b": {}}"#, 9),
            ("[[[]]]", 3),
            // What is broken, as far as it goes.
            ("[0,0,", 3),
            ("", 1),
        ] {
            assert_eq!(reckoned(body.as_bytes()), Some(body.len() as u64 + EACH * values), "{body}");
        }
    }

    #[test]
    fn more_than_so_many_are_too_many_however_they_lie() {
        let list = |values: usize| format!("[{}0]", "0,".repeat(values - 2));
        assert!(reckoned(list(MOST_VALUES).as_bytes()).is_some());
        assert_eq!(reckoned(list(MOST_VALUES + 1).as_bytes()), None);
        assert!(reckoned("[".repeat(MOST_VALUES + 1).as_bytes()).is_some(), "nobody reads what is so deep");
        let tables = format!("[{}0]", "{\"\":0},".repeat(MOST_VALUES / 2));
        assert_eq!(reckoned(tables.as_bytes()), None);
        assert_eq!(reckoned(format!("{}]", list(MOST_VALUES * 2)).as_bytes()), None, "broken or not");
    }
}
