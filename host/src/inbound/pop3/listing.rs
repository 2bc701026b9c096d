//! What lies in a mailbox, and what is to be done with each message of it.

use super::Memory;
use postigo_net::redaction::Redactor;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A message on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanListing {
    /// Its number in this session.
    pub number: u32,
    /// As the server lists it, bytes.
    pub size: u64,
    /// Its unique-id; empty where the listing has none that can be used.
    pub uidl: String,
}

impl ScanListing {
    /// What it goes by in memory: its unique-id, else its size.
    pub fn name(&self) -> Cow<'_, str> {
        if self.uidl.is_empty() { self.size.to_string().into() } else { self.uidl.as_str().into() }
    }

    /// Where it came from, for people: its unique-id, else its number. A server may repeat in a unique-id what it was
    /// told.
    pub fn place(&self, redactor: &Redactor) -> String {
        if self.uidl.is_empty() { format!("#{}", self.number) } else { redactor.redact(&self.uidl) }
    }

    /// The same as the beginning of a sentence: `Message 7 (unique-id 00000a0b)`.
    pub fn title(&self, redactor: &Redactor) -> String {
        let uidl =
            if self.uidl.is_empty() { String::new() } else { format!(" (unique-id {})", redactor.redact(&self.uidl)) };
        format!("Message {}{uidl}", self.number)
    }
}

/// A mailbox's messages, by their number.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MailboxListing {
    /// Every one of them.
    pub messages: Vec<ScanListing>,
    /// Why the unique-ids cannot be used, the end of a sentence; nothing where they can.
    pub without_uidl: Option<&'static str>,
}

/// Why there are no unique-ids at all.
const NO_UIDL: &str = "the server has no UIDL";

impl MailboxListing {
    /// Whether the server has unique-ids that cannot be used this time: what they would say of its messages is not known.
    pub fn has_unusable_uidls(&self) -> bool {
        self.without_uidl.is_some_and(|why| why != NO_UIDL)
    }

    /// Puts the answers of LIST and UIDL together. Unique-ids that are not unique, or not there for every message, are
    /// none.
    pub fn new(sizes: BTreeMap<u32, u64>, uidls: Option<BTreeMap<u32, Option<String>>>) -> Self {
        let (mut uidls, without_uidl) = match uidls {
            None => (HashMap::new(), Some(NO_UIDL)),
            Some(uidls) => match usable(uidls, &sizes) {
                Ok(usable) => (usable, None),
                Err(why) => (HashMap::new(), Some(why)),
            },
        };
        let messages = sizes.into_iter().map(|(number, size)| ScanListing {
            number,
            size,
            uidl: uidls.remove(&number).unwrap_or_default(),
        });
        Self { messages: messages.collect(), without_uidl }
    }
}

fn usable(
    uidls: BTreeMap<u32, Option<String>>,
    sizes: &BTreeMap<u32, u64>,
) -> Result<HashMap<u32, String>, &'static str> {
    let mut usable = HashMap::with_capacity(uidls.len());
    for (number, uidl) in uidls {
        usable.insert(number, uidl.ok_or("some of the server's unique-ids are not valid")?);
    }
    let different: HashSet<&String> = usable.values().collect();
    if different.len() < usable.len() {
        return Err("the server gives one unique-id to several messages");
    }
    if sizes.keys().all(|number| usable.contains_key(number)) {
        Ok(usable)
    } else {
        Err("the server gives some messages no unique-id")
    }
}

/// What is to be done in a mailbox.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MailboxPlan {
    /// To be fetched.
    pub fetch: Vec<ScanListing>,
    /// To be fetched one by one, when all others are told of.
    pub alone: Vec<ScanListing>,
    /// Above the greatest size.
    pub oversize: Vec<ScanListing>,
    /// Known, and to be kept on the server: nothing is done.
    pub known: u64,
    /// Given up for a while.
    pub given_up: u64,
}

impl MailboxPlan {
    /// Plans. `known` has the sizes of what is here by unique-id. What is to be deleted is fetched even if its
    /// unique-id is known: servers use these again, and nothing is deleted whose bytes were not compared. Kept
    /// messages are known by unique-id and size, as are those that were taken in when larger ones were.
    pub fn new(
        listing: &MailboxListing,
        known: &HashMap<String, u64>,
        deletes: bool,
        greatest: u64,
        memory: &Memory,
    ) -> Self {
        let mut plan = Self::default();
        for message in &listing.messages {
            let is_known = known
                .get(&message.uidl)
                .is_some_and(|size| *size == message.size || memory.has_compared(&message.uidl, message.size));
            let is_oversize = memory.size(&message.uidl, message.size) > greatest;
            if is_known && (!deletes || is_oversize) {
                plan.known += 1;
            } else if is_oversize {
                plan.oversize.push(message.clone());
            } else {
                plan.fetch.push(message.clone());
            }
        }
        (plan.alone, plan.given_up) = memory.suspects.set_apart(&mut plan.fetch, |message| message.name().into_owned());
        plan
    }
}

/// The unique-ids that are known and not listed: their messages are gone from the server.
pub fn gone(known: &HashMap<String, u64>, listing: &MailboxListing) -> Vec<String> {
    let listed: HashSet<&str> = listing.messages.iter().map(|message| message.uidl.as_str()).collect();
    known.keys().filter(|uidl| !listed.contains(uidl.as_str())).cloned().collect()
}

/// The first messages that together have at most so many messages and bytes, and at least one.
pub fn first(messages: &[ScanListing], most: usize, most_bytes: u64) -> &[ScanListing] {
    let mut bytes = 0_u64;
    let fits = messages.iter().take(most).take_while(|message| {
        bytes = bytes.saturating_add(message.size);
        bytes <= most_bytes
    });
    let count = fits.count().max(1).min(messages.len());
    messages.get(..count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(messages: &[(u32, u64, &str)]) -> MailboxListing {
        let sizes = messages.iter().map(|(number, size, _)| (*number, *size)).collect();
        let uidls = messages
            .iter()
            .map(|(number, _, uidl)| (*number, (!uidl.is_empty()).then(|| (*uidl).to_owned())))
            .collect();
        MailboxListing::new(sizes, Some(uidls))
    }

    fn numbers(messages: &[ScanListing]) -> Vec<u32> {
        messages.iter().map(|message| message.number).collect()
    }

    #[test]
    fn unique_ids_that_are_not_unique_valid_or_complete_are_none() {
        let good = listing(&[(1, 10, "a"), (2, 20, "b")]);
        assert_eq!((good.without_uidl, good.messages[1].uidl.as_str()), (None, "b"));
        let incomplete = MailboxListing::new([(1, 10), (2, 20)].into(), Some([(1, Some("a".into()))].into()));
        for bad in [
            listing(&[(1, 10, "a"), (2, 20, "a")]),
            listing(&[(1, 10, "a"), (2, 20, "")]),
            incomplete,
            MailboxListing::new([(1, 1)].into(), None),
        ] {
            assert!(
                bad.without_uidl.is_some() && bad.messages.iter().all(|message| message.uidl.is_empty()),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn what_is_kept_is_known_by_id_and_size_and_what_is_deleted_is_compared_first() {
        let listing = listing(&[(1, 10, "a"), (2, 20, "b"), (3, 30, "c"), (4, 99, "d")]);
        let known = HashMap::from([("a".to_owned(), 10), ("b".to_owned(), 21), ("gone".to_owned(), 1)]);
        let plan = MailboxPlan::new(&listing, &known, false, 50, &Memory::default());
        assert_eq!((numbers(&plan.fetch), numbers(&plan.oversize), plan.known), (vec![2, 3], vec![4], 1));
        let plan = MailboxPlan::new(&listing, &known, true, 50, &Memory::default());
        assert_eq!((numbers(&plan.fetch), numbers(&plan.oversize), plan.known), (vec![1, 2, 3], vec![4], 0));
        assert_eq!(gone(&known, &listing), ["gone"]);
    }

    #[test]
    fn a_server_that_lists_wrong_sizes_is_not_asked_for_a_kept_message_again() {
        let listing = listing(&[(1, 10, "a"), (2, 20, "b")]);
        let known = HashMap::from([("a".to_owned(), 11)]);
        let mut memory = Memory::default();
        memory.compared("a".into(), 10);
        memory.is_larger("b".into(), 70);
        let plan = MailboxPlan::new(&listing, &known, false, 50, &memory);
        assert_eq!((plan.known, numbers(&plan.fetch), numbers(&plan.oversize)), (1, vec![], vec![2]));
    }

    #[test]
    fn a_batch_has_at_least_one_message_and_no_more_than_fit() {
        let listing = listing(&[(1, 10, "a"), (2, 20, "b"), (3, 30, "c")]);
        let count = |most, bytes| first(&listing.messages, most, bytes).len();
        assert_eq!((count(9, 30), count(9, 1), count(2, 999), count(9, 999)), (2, 1, 2, 3));
        assert!(first(&[], 9, 9).is_empty());
    }

    #[test]
    fn a_unique_id_that_repeats_a_secret_is_not_shown() {
        let redactor = Redactor::of([("password", "hunter2hunter2")]);
        let message = ScanListing { number: 7, size: 1, uidl: "00hunter2hunter2".into() };
        let shown = format!("{} {}", message.place(&redactor), message.title(&redactor));
        assert!(!shown.contains("hunter2") && shown.contains("Message 7"), "{shown}");
        assert_eq!(message.name(), "00hunter2hunter2", "what the program goes by stays as it is");
    }
}
