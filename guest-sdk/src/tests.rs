//! What a filter's author relies on: groups, places of mistakes, screening, and a harness as strict as the host.

use crate::testing::{Mail as Built, configure, configure_granted, logged, run};
use crate::{Description, Each, Filter, Grants, Mail, Problem, Screen, Verdict, log};

/// Matches a word of the subject; sets the header that its settings name.
struct Word(Settings);

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    words: Vec<String>,
    #[serde(default)]
    header: Option<String>,
}

impl Filter for Word {
    type Settings = Settings;

    fn describe() -> Description {
        Description::new("word", "1.0.0", "Matches a word.")
            .wants("body")
            .sets("X-OTOBO-Queue")
            .sets("X-OTOBO-DynamicField-*")
    }

    fn new(settings: Settings, grants: &Grants) -> Result<Self, Vec<Problem>> {
        if !grants.has("body") {
            return Err(vec![Problem::new("", "The body is needed.")]);
        }
        let empty = (0..).zip(&settings.words).filter(|(_, word)| word.is_empty());
        let problems: Vec<_> =
            empty.map(|(at, _): (usize, _)| Problem::new(format!("/words/{at}"), "It is empty.")).collect();
        if problems.is_empty() { Ok(Self(settings)) } else { Err(problems) }
    }

    fn evaluate(&self, mail: &Mail<'_>) -> Result<Verdict, String> {
        log::info("looking");
        let matched = self.might_match(mail) && mail.text()?.is_empty();
        let header = self.0.header.as_deref().unwrap_or("x-otobo-queue");
        Ok(if matched { Verdict::matched().set(header, "Raw") } else { Verdict::not_matched() })
    }
}

impl Screen for Word {
    fn might_match(&self, mail: &Mail<'_>) -> bool {
        let subject = mail.header("subject").unwrap_or_default();
        self.0.words.iter().any(|word| subject.contains(word))
    }
}

#[test]
fn every_mistake_of_every_filter_is_told_with_its_place() {
    let settings =
        [r#"{"words": ["", "a", ""]}"#, r#"{"words": ["a"]}"#, r#"{"words": ["a", 7]}"#, r#"{"words": [], "word": 1}"#];
    let problems = configure::<Each<Word>>(&settings).err().unwrap();
    let places: Vec<_> = problems.iter().map(|(filter, problem)| (*filter, problem.place.as_str())).collect();
    assert_eq!(places, [(0, "/words/0"), (0, "/words/2"), (2, "/words/1"), (3, "/word")]);
}

#[test]
fn each_filter_has_its_own_settings_and_screen() {
    let words = configure::<Each<Word>>(&[r#"{"words": ["fire"]}"#, r#"{"words": ["ice"]}"#]).ok().unwrap();
    let mail = Built::new().with("Subject", "on ice");
    assert_eq!(words.screen(&mail), [1]);
    assert!(!words.evaluate(0, &mail).unwrap().matched);
    assert!(words.evaluate(1, &mail).unwrap().matched);
    assert!(words.evaluate(2, &mail).unwrap_err().contains("no filter 2"));
}

#[test]
fn what_was_not_declared_cannot_be_set() {
    let mail = Built::new().with("Subject", "fire");
    let with = |header: &str| run::<Word>(&format!(r#"{{"words": ["fire"], "header": "{header}"}}"#), &mail);
    assert!(with("X-OTOBO-DYNAMICFIELD-Any").is_ok());
    assert!(with("X-OTOBO-Priority").unwrap_err().contains("X-OTOBO-Priority"));
}

#[test]
fn grants_and_log_lines_are_as_in_the_host() {
    assert!(configure_granted::<Each<Word>>(&[r#"{"words": []}"#], &[]).is_err());
    logged();
    run::<Word>(r#"{"words": []}"#, &Built::new()).unwrap();
    assert_eq!(logged(), [(log::Level::Info, "looking".to_owned())]);
}

#[test]
fn built_mails_read_as_mails_do() {
    let built = Built::new().with("To", "\"Roe, Jane\" <jane@a.test>, b@c.test").with("TO", "d@e.test");
    let logo = crate::Attachment {
        media_type: "image/png".into(),
        inline: true,
        content_id: "logo@example.com".into(),
        ..crate::Attachment::default()
    };
    let built = built.with_attachment("a.txt", "text/plain", b"12345").with_attached(logo, b"PNG");
    let arrival = crate::Arrival { account: "desk".into(), ..crate::Arrival::default() };
    let built = built.with_arrival(arrival).with_recipient("support@example.org");
    let mail = Mail::lent(&built);
    assert_eq!(mail.header_names(), ["To"]);
    assert_eq!(mail.headers("to").len(), 2);
    let addresses: Vec<_> = mail.addresses("To").into_iter().map(|one| (one.display_name, one.address)).collect();
    let expected = [("Roe, Jane", "jane@a.test"), ("", "b@c.test"), ("", "d@e.test")];
    assert_eq!(addresses, expected.map(|(name, address)| (name.to_owned(), address.to_owned())));
    assert_eq!(mail.attachment_bytes(0, 3, 9).unwrap(), b"45");
    assert_eq!(mail.attachment_bytes(2, 0, 1), Err(crate::Refusal::NotFound));
    let attachments = mail.attachments().unwrap().into_iter().map(|one| (one.size, one.inline, one.content_id));
    assert_eq!(attachments.collect::<Vec<_>>(), [(5, false, String::new()), (3, true, "logo@example.com".to_owned())]);
    let bytes = mail.raw(0, 1_000).unwrap().len() as u64;
    assert_eq!((mail.arrival().account.as_str(), mail.arrival().size), ("desk", bytes));
    assert_eq!(mail.recipients(), ["support@example.org"]);
}

#[test]
fn the_guide_shows_the_example_in_rust_in_25_lines() {
    let (filter, _) = include_str!("../../examples/rust/src/lib.rs").split_once("\n#[cfg(test)]").unwrap();
    assert!(include_str!("../../docs/filter-authors.md").contains(&format!("```rust\n{filter}```")));
    assert!(filter.lines().count() <= 25);
}
