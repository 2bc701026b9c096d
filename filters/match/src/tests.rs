//! What an admin sees of the classic filter, and the screen against the plain loop.

use crate::Rules;
use postigo_filter::Problem;
use postigo_filter::testing::{Configured, Mail, configure, configure_granted};
use proptest::prelude::*;
use serde_json::json;

/// One filter with these conditions (header, pattern, negated) that sets the title to `value`.
fn settings(when: &[(&str, &str, bool)], value: &str) -> String {
    let when: Vec<_> = when
        .iter()
        .map(|(header, matches, negate)| json!({"header": header, "matches": matches, "negate": negate}))
        .collect();
    json!({"when": when, "set": [{"header": "X-OTOBO-Title", "value": value}]}).to_string()
}

fn one(settings: &str) -> Configured<Rules> {
    configure(&[settings]).unwrap()
}

/// What the filter sets the title to; none when it does not match. The screen must not have missed it.
fn title(when: &[(&str, &str, bool)], value: &str, mail: &Mail) -> Option<String> {
    let rules = one(&settings(when, value));
    let verdict = rules.evaluate(0, mail).unwrap();
    assert!(!verdict.matched || rules.screen(mail) == [0], "the screen missed {when:?}");
    verdict.changes.into_iter().next().map(|change| change.value)
}

fn matches(header: &str, pattern: &str, mail: &Mail) -> bool {
    title(&[(header, pattern, false)], "", mail).is_some()
}

fn problems(settings: &str) -> Vec<Problem> {
    configure::<Rules>(&[settings]).unwrap_err().into_iter().map(|(_, problem)| problem).collect()
}

fn subject(subject: &str) -> Mail {
    Mail::new().with("Subject", subject)
}

#[test]
fn patterns_are_unanchored_and_blind_to_case() {
    assert!(matches("subject", "INVOICE", &subject("Your invoice 42")));
    assert!(matches("SUBJECT", "straße", &subject("STRASSE, STRAßE")));
    assert!(matches("Subject", "kelvin", &subject("\u{212a}ELVIN")));
    assert!(!matches("Subject", "(?-i:invoice)", &subject("INVOICE")));
}

#[test]
fn ends_are_those_of_the_whole_value_and_the_dot_stops_at_line_ends() {
    let mail = Mail::new().with_text("one\ntwo\n");
    assert!(!matches("Body", "^two", &mail));
    assert!(!matches("Body", "one.two", &mail));
    assert!(matches("Body", "(?s)one.two", &mail));
    assert!(matches("Body", "(?m)^two$", &mail));
}

#[test]
fn a_missing_header_is_the_empty_string() {
    let mail = subject("x");
    assert!(matches("X-Spam-Flag", "^$", &mail));
    assert!(!matches("X-Spam-Flag", ".", &mail));
    assert_eq!(title(&[("X-Spam-Flag", "yes", true)], "kept", &mail).as_deref(), Some("kept"));
}

#[test]
fn all_conditions_must_hold() {
    let mail = subject("Offer").with("From", "a@b.test");
    assert!(title(&[("Subject", "offer", false), ("From", "b\\.test", false)], "", &mail).is_some());
    assert!(title(&[("Subject", "offer", false), ("From", "b\\.test", true)], "", &mail).is_none());
    assert!(title(&[("Subject", "offer", true), ("From", "b\\.test", false)], "", &mail).is_none());
}

#[test]
fn without_conditions_a_filter_never_matches() {
    let rules = one(&settings(&[], "set"));
    assert!(!rules.evaluate(0, &subject("x")).unwrap().matched);
    assert_eq!(rules.screen(&subject("x")), [0; 0]);
}

#[test]
fn addresses_are_matched_whole_one_by_one() {
    let mail = Mail::new().with("To", "\"chief@corp.test\" <info@shop.test>").with("To", "two@else.test");
    assert!(matches("To", "EMAILADDRESS:INFO@shop\\.test|office@shop\\.test", &mail));
    assert!(!matches("To", "EMAILADDRESS:info@shop", &mail));
    assert!(!matches("To", "EMAILADDRESS:chief@corp\\.test", &mail));
    assert!(title(&[("To", "EMAILADDRESS:.*@else\\.test", true)], "", &mail).is_none());
    assert!(title(&[("Cc", "EMAILADDRESS:.*", true)], "", &mail).is_some());
    let both = "[***] [** \\email **] [**\\host**]";
    let filled = title(&[("To", "EMAILADDRESS:.*@(?<host>else)\\.test", false)], both, &mail);
    assert_eq!(filled.as_deref(), Some("two@else.test two@else.test else"));
}

#[test]
fn captures_fill_the_places_of_a_value() {
    let mail = subject("Room 0 floor 3, host web17").with("X-Site", "Lyon");
    let room = ("Subject", "room (\\d+) floor (\\d+)", false);
    assert_eq!(title(&[room], "<[***]> [***]", &mail).as_deref(), Some("<0> [***]"));
    assert_eq!(
        title(&[room, ("X-Site", "(.*)", false), ("X-Site", "l", false)], "[***]", &mail).as_deref(),
        Some("Lyon")
    );
    assert_eq!(title(&[room, ("Subject", "(urgent)", true)], "[***]", &mail).as_deref(), Some("0"));
    let named = [("Subject", "host (?<host>\\w+)", false), ("X-Site", "(?<site>.+)", false)];
    assert_eq!(title(&named, "[**\\site**]/[** \\host **]/[**\\site**]", &mail).as_deref(), Some("Lyon/web17/Lyon"));
    assert_eq!(title(&[("Subject", "room", false)], "a[***]b", &mail).as_deref(), Some("ab"));
}

#[test]
fn what_a_mail_brings_is_no_place() {
    let mail = subject("say [**\\host**] [***]").with("X-Host", "web");
    let when = [("X-Host", "(?<host>.*)", false), ("Subject", "say (.*)", false)];
    assert_eq!(title(&when, "[***]", &mail).as_deref(), Some("[**\\host**] [***]"));
}

#[test]
fn the_body_needs_its_grant() {
    let rules = one(&settings(&[("Body", "secret", false)], ""));
    let mail = subject("x").with_text("a Secret");
    assert!(rules.evaluate(0, &mail).unwrap().matched);
    let ungranted: Configured<Rules> = configure_granted(&[&settings(&[("Body", "secret", false)], "")], &[]).unwrap();
    assert!(ungranted.evaluate(0, &mail).unwrap_err().contains("Body"));
    assert_eq!(ungranted.screen(&mail), [0]);
}

#[test]
fn characters_that_perl_users_escape_are_plain() {
    assert!(matches("Subject", "\\<a\\>\\@b\\/c\\Z", &subject("x <A>@b/c")));
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let settings = json!({
        "when": [
            {"header": "Subject", "matches": "^(?!Re:).*offer"},
            {"header": "Subject", "matches": "(a)\\1"},
            {"header": "Subject", "matches": "("},
            {"header": "Sub ject", "matches": "a"},
            {"header": "Subject", "matches": "\\w{500}"},
            {"header": "Body", "matches": "EMAILADDRESS:a"},
        ],
        "set": [{"header": "Subject", "value": "x"}, {"header": "X-OTOBO-AttachmentCount", "value": "1"}],
    });
    let told = problems(&settings.to_string());
    let places: Vec<&str> = told.iter().map(|problem| problem.place.as_str()).collect();
    let expected = ["/set/0/header", "/set/1/header", "/when/0/matches", "/when/1/matches", "/when/2/matches"];
    assert_eq!(places, [&expected[..], &["/when/3/header", "/when/4/matches", "/when/5/matches"]].concat());
    assert!(told[2].reason.contains("look-around") && told[2].reason.contains("character 2"), "{}", told[2].reason);
    assert!(told[3].reason.contains("back-references"), "{}", told[3].reason);
    assert!(told[6].reason.contains("too large"), "{}", told[6].reason);
}

#[test]
fn settings_that_do_not_fit_are_told_with_their_place() {
    let told = problems(r#"{"when": [{"header": "Subject", "matches": "a"}, {"header": "Subject", "matches": 7}]}"#);
    assert_eq!(told[0].place, "/when/1/matches");
    let told = problems(r#"{"when": [], "sets": []}"#);
    assert!(told[0].reason.contains("sets"), "{}", told[0].reason);
}

#[test]
fn a_name_that_nothing_captures_is_a_mistake() {
    let told = problems(&settings(&[("Subject", "(?<host>.)", true)], "[** \\host **]"));
    assert_eq!(told[0].place, "/set/0/value");
    assert!(told[0].reason.contains("`host`"), "{}", told[0].reason);
}

#[test]
fn most_filters_are_screened_out() {
    let settings: Vec<String> =
        (0..100).map(|number| settings(&[("Subject", &format!("offer {number:03}\\b"), false)], "")).collect();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let rules: Configured<Rules> = configure(&settings).unwrap();
    assert_eq!(rules.screen(&subject("Re: OFFER 042 of today")), [42]);
}

/// Pieces of patterns that fold, repeat, choose, anchor, need nothing, or need something only in the middle.
const PIECES: [&str; 28] = [
    "k",
    "ſ",
    "É",
    "straße",
    "ab",
    "(?-i:K)",
    "[^a]",
    "[k-m]",
    "\\w",
    "\\S",
    "\\d+",
    ".",
    ".*",
    "(a|ks|)",
    "(?:é|sk)+",
    "x{2,3}",
    "b?",
    "^",
    "$",
    "\\b",
    "(?i:σ)",
    "ς",
    "[[:alpha:]]",
    "(?s:.)",
    "@",
    "(?x: a b )",
    "\\p{Lu}",
    "i",
];
/// Characters that values are made of: those of the pieces and what folds to them.
const CHARACTERS: [&str; 26] = [
    "k", "K", "\u{212a}", "s", "S", "ſ", "é", "É", "E", "a", "b", "A", "B", "ab", "straße", "STRAẞE", "x", "X", "1",
    " ", "@", "\n", "σ", "Σ", "ς", "İ",
];

fn pattern() -> impl Strategy<Value = String> {
    let joined = prop::collection::vec(prop::sample::select(&PIECES[..]), 0..5).prop_map(|pieces| pieces.concat());
    (joined, any::<bool>())
        .prop_map(|(joined, address)| if address { format!("EMAILADDRESS:{joined}") } else { joined })
}

fn value() -> impl Strategy<Value = Option<String>> {
    prop::option::of(
        prop::collection::vec(prop::sample::select(&CHARACTERS[..]), 0..6).prop_map(|pieces| pieces.concat()),
    )
}

fn filter() -> impl Strategy<Value = String> {
    let header = prop::sample::select(&["Subject", "From", "X-OTOBO-Queue", "Body", "X-Missing"][..]);
    let condition = (header, pattern(), prop::bool::weighted(0.3)).prop_map(|(header, pattern, negate)| {
        let pattern = if header == "Body" { pattern.trim_start_matches("EMAILADDRESS:").to_owned() } else { pattern };
        json!({"header": header, "matches": pattern, "negate": negate})
    });
    prop::collection::vec(condition, 0..3).prop_map(|when| json!({"when": when}).to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_screen_never_misses(
        filters in prop::collection::vec(filter(), 1..6),
        values in prop::collection::vec(value(), 3),
        body in value(),
        granted in prop::bool::weighted(0.9),
    ) {
        let mut mail = Mail::new().with_text(&body.unwrap_or_default());
        for (name, value) in ["Subject", "From", "X-OTOBO-Queue"].iter().zip(&values) {
            if let Some(value) = value {
                mail = mail.with(name, value);
            }
        }
        let settings: Vec<&str> = filters.iter().map(String::as_str).collect();
        let rules: Configured<Rules> = configure_granted(&settings, if granted { &["body"] } else { &[] }).unwrap();
        let candidates = rules.screen(&mail);
        for (filter, settings) in filters.iter().enumerate() {
            // What fails, because the body was not granted, must be called too: its failure is to be seen.
            let outcome = rules.evaluate(filter, &mail);
            let called = candidates.contains(&u32::try_from(filter).unwrap());
            prop_assert!(called || outcome.as_ref().is_ok_and(|verdict| !verdict.matched), "{settings} missed: {outcome:?}");
        }
    }
}

#[test]
fn each_condition_is_told_with_the_value_that_was_compared() {
    let told = |when: &[(&str, &str, bool)], mail: &Mail| one(&settings(when, "")).evaluate(0, mail).unwrap().reason;
    let mail = Mail::new().with("Subject", "Invoice 42").with("From", "Jane <jane@example.com>");
    assert_eq!(
        told(
            &[
                ("Subject", "invoice", false),
                ("X-Spam", "yes", false),
                ("From", "EMAILADDRESS:.*@example\\.org", false)
            ],
            &mail
        ),
        "Subject \"Invoice 42\" matches \"invoice\": holds; X-Spam is missing, and \"\" does not match \"yes\": fails; \
         From \"jane@example.com\" does not match \"EMAILADDRESS:.*@example\\.org\": fails"
    );
    assert_eq!(
        told(&[("Subject", "42", true), ("Body", "x", false)], &mail),
        "Subject \"Invoice 42\" matches \"42\": fails, since it is negated",
        "what decides nothing any more is not read from the body"
    );
    assert_eq!(told(&[], &mail), "it has no conditions");
    let long = subject(&"x".repeat(5_000));
    let many = vec![("Subject", "x", false); 200];
    let size = told(&many, &long).len();
    assert!((1_000..2_000).contains(&size), "{size}");
}
