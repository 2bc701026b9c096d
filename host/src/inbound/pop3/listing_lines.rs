//! The lines of LIST and UIDL put together: what each message is listed with, whatever else a server says there.

use super::answer::ListingLine;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Of so many lines that are not as such lines are the words are kept; one is told.
const MOST_SAID: usize = 100;

/// The lines of one listing.
#[derive(Debug)]
pub struct ListingLines<T> {
    /// So many messages are there.
    count: u32,
    plain: BTreeMap<u32, Option<T>>,
    /// With the line for people, of the first ones.
    other: BTreeMap<u32, (Option<T>, Option<String>)>,
    /// The first line that belongs to no message.
    odd: Option<String>,
}

impl<T: PartialEq> ListingLines<T> {
    /// None yet, of a mailbox with so many messages.
    pub fn new(count: u32) -> Self {
        Self { count, plain: BTreeMap::new(), other: BTreeMap::new(), odd: None }
    }

    /// Takes a line as it was read; `said`: the line for people.
    pub fn take(&mut self, line: Option<ListingLine<T>>, said: impl FnOnce() -> String) {
        match line {
            Some(ListingLine { number, fact, is_plain: true }) => match self.plain.get_mut(&number) {
                // What is told twice, and differently, is not known.
                Some(before) if *before != fact => *before = None,
                Some(_) => {}
                None => drop(self.plain.insert(number, fact)),
            },
            Some(ListingLine { number, fact, .. }) if number <= self.count => match self.other.get_mut(&number) {
                Some((before, _)) if *before != fact => *before = None,
                Some(_) => {}
                // A server may say something else of every message.
                None => {
                    let said = (self.other.len() < MOST_SAID).then(said);
                    self.other.insert(number, (fact, said));
                }
            },
            _ => {
                self.odd.get_or_insert_with(said);
            }
        }
    }

    /// What the messages are listed with, by their numbers, and the first line that belongs to none.
    pub fn put_together(self) -> (BTreeMap<u32, Option<T>>, Option<String>) {
        let (mut listed, mut odd) = (self.plain, self.odd);
        for (number, (fact, said)) in self.other {
            match listed.entry(number) {
                Entry::Occupied(_) => odd = odd.or(said),
                Entry::Vacant(place) => {
                    place.insert(fact);
                }
            }
        }
        (listed, odd)
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::{number_and_size, number_and_uidl};
    use super::*;

    /// What comes of these lines of three messages' listing.
    fn listed<T: PartialEq>(
        read: fn(&[u8]) -> Option<ListingLine<T>>,
        lines: &[&str],
    ) -> (Vec<(u32, Option<T>)>, Option<String>) {
        let mut together = ListingLines::new(3);
        for line in lines {
            together.take(read(line.as_bytes()), || (*line).to_owned());
        }
        let (listed, odd) = together.put_together();
        (listed.into_iter().collect(), odd)
    }

    #[test]
    fn words_that_begin_with_a_number_change_nothing_of_what_is_listed() {
        for words in ["3 messages (320 octets)", "1 - 2", "320 octets in all", "0 7", "2", "-1 5", "+2 7 octets"] {
            for lines in [[words, "1 10", "2 20 octets", "3 30"], ["1 10", "2 20 octets", "3 30", words]] {
                let expected = (vec![(1, Some(10)), (2, Some(20)), (3, Some(30))], Some(words.to_owned()));
                assert_eq!(listed(number_and_size, &lines), expected, "{words}");
            }
            for lines in [[words, "1 a", "2 b", "3 c"], ["1 a", "2 b", "3 c", words]] {
                let (ids, odd) = listed(number_and_uidl, &lines);
                let expected = ["a", "b", "c"].map(|id| Some(id.to_owned()));
                assert_eq!(ids, (1..).zip(expected).collect::<Vec<_>>(), "{words}");
                assert_eq!(odd.as_deref(), Some(words));
            }
        }
    }

    #[test]
    fn a_message_of_which_no_better_line_tells_is_listed_all_the_same() {
        assert_eq!(
            listed(number_and_size, &["1 10", "2 many", "3"]),
            (vec![(1, Some(10)), (2, None), (3, None)], None)
        );
        let ids = vec![(1, Some("a".to_owned())), (2, Some("b".to_owned())), (3, None)];
        assert_eq!(listed(number_and_uidl, &["1 a new", "2 b", "3"]), (ids, None));
    }

    #[test]
    fn what_is_told_twice_and_differently_is_not_known() {
        assert_eq!(listed(number_and_size, &["1 10", "1 99", "2 5", "2 5"]).0, [(1, None), (2, Some(5))]);
        assert_eq!(listed(number_and_uidl, &["1 a", "1 messages"]).0, [(1, None)]);
    }
}
