//! The file as a whole: what is accepted, how mistakes are told, and that an export is taken back.

use super::export::export;
use super::reference::given_or_named;
use super::*;
use postigo_model::configured::Account;
use postigo_model::configured::Breach;
use postigo_model::configured::Configuration;
use postigo_model::configured::CustomerUser;
use postigo_model::configured::FollowUpOption;
use postigo_model::configured::Protocol;
use postigo_model::configured::Queue;
use postigo_model::configured::Secret;
use postigo_model::configured::Validity;
use postigo_model::configured::form::{ConfigurationMistake, in_clear};
use std::path::Path;
use std::time::Duration;

/// The guide to the configuration; its only block of TOML has every key.
const GUIDE: &str = include_str!("../../../docs/configuration.md");

/// The guide's file, its secrets written down.
fn whole() -> String {
    let from = GUIDE.find("```toml\n").unwrap() + "```toml\n".len();
    let file = &GUIDE[from..];
    let mut text = file[..file.find("```").unwrap()].to_owned();
    for variable in ["MAIN_PASSWORD", "RELAY_PASSWORD", "CLIENT_SECRET"] {
        text = text.replace(&format!("{{ env = \"{variable}\" }}"), "\"a password\"");
    }
    text
}

fn draft(text: &str, start: &Configuration) -> (ConfigurationFile, Draft) {
    let file = ConfigurationFile::parse(text);
    let mut draft = Draft::of(&file.root, start, &|value: &serde_json::Value| given_or_named(value, Path::new(".")));
    let breaches = rules::check(&draft.configuration);
    draft.add(breaches);
    (file, draft)
}

fn start() -> Configuration {
    let mut start = Configuration::default();
    for name in ["Raw", "Postmaster", "Junk", "Misc"] {
        start.queues.insert(name.into(), Queue { name: name.into(), ..Queue::default() });
    }
    start.accounts.insert("local".into(), Account { name: "local".into(), ..Account::default() });
    start
}

fn mistakes(text: &str) -> Vec<String> {
    let (file, draft) = draft(text, &start());
    file.tell("a.toml", &draft.problems)
}

#[test]
fn every_key_of_the_documentation_is_taken() {
    let (file, draft) = draft(&whole(), &start());
    assert_eq!(file.tell("whole.toml", &draft.problems), Vec::<String>::new());
    let configuration = draft.configuration;
    assert_eq!(configuration.settings.poll_interval, 600);
    assert_eq!(configuration.settings.max_message_size, 32 << 20);
    assert_eq!(configuration.settings.max_component_size, 32 << 20);
    assert_eq!(configuration.settings.log_retention.get("failed"), Some(&(30 * 86_400)));
    let account = configuration.accounts.get("main").unwrap();
    assert_eq!(account.protocol, Protocol::Imaps);
    assert_eq!(account.password.as_ref().map(Secret::reveal), Some("a password"));
    assert_eq!(account.oauth2.as_ref().unwrap().provider, "microsoft");
    let filter = configuration.filters.get("10 Invoices").unwrap();
    assert_eq!(filter.limits.time, Duration::from_millis(250));
    assert_eq!(filter.settings.pointer("/when/1/negate"), Some(&serde_json::Value::Bool(true)));
    assert_eq!(draft.customers.get("jane").unwrap().customer_number, "ACME");
}

#[test]
fn the_same_file_twice_changes_nothing() {
    let (_, first) = draft(&whole(), &start());
    let (_, second) = draft(&whole(), &first.configuration);
    assert_eq!(differences(&first.configuration, &second.configuration), []);
}

#[test]
fn an_export_is_taken_back_without_any_difference_and_shows_no_secret() {
    let (_, whole) = draft(&whole(), &start());
    let customers: Vec<CustomerUser> = whole.customers.values().cloned().collect();
    let text = export(&whole.configuration, &customers);
    assert!(!text.contains("a password") && text.contains("# password is set"), "{text}");
    let (file, again) = draft(&text, &whole.configuration);
    assert_eq!(file.tell("export.toml", &again.problems), Vec::<String>::new(), "{text}");
    assert_eq!(differences(&whole.configuration, &again.configuration), [], "{text}");
    assert_eq!(again.customers, whole.customers);
    // Into an empty installation everything but the secrets comes along.
    let (_, moved) = draft(&text, &start());
    let mut expected = whole.configuration;
    let account = expected.accounts.get_mut("main").unwrap();
    account.password = None;
    account.oauth2.as_mut().unwrap().client_secret = None;
    expected.transports.get_mut("relay").unwrap().password = None;
    assert_eq!(moved.configuration, expected, "{text}");
}

#[test]
fn all_mistakes_are_named_with_line_and_key() {
    let told = mistakes(
        r#"[settings]
colour = "red"
poll_interval = 10

[[queue]]
name = "Lost"
follow_up = "maybe"
valid = "no"

[[system_address]]
address = "a@b.test"
queue = "Nowhere"

[[queue]]
follow_up_lock = 1

[[account]]
name = "main"
protocol = "imap"
port = 70000
dispatch = "queue:Elsewhere"
after_fetch = "burn"
tls = { verfy = false }

[[queue]]
name = "Lost"

[[filter]]
name = "f"
component = "match"
grants = ["body", "http:example.org"]
limits = { time = "1h" }
"#,
    );
    assert_eq!(
        told,
        [
            "a.toml:2: key settings.colour: there is no key `colour` here; the keys are default_queue, ticket_hook, ticket_hook_divider, \
             number_generator, poll_interval, follow_up_checks, unvouched_numbers, define_email_from, types, services, slas, agents, max_message_size, oversize, \
             spool_limit, max_component_size, external_number_field, log_retention, raw_retention, spool_retention, kept_versions, job_retention, auto_responses_per_day, auto_responses_per_hour, auto_responses_refused, auto_responses_max_age, authentication_results_from, outbound.",
            "a.toml:3: key settings.poll_interval: must be a duration in whole seconds, such as \"10m\" (units s, m, h, d).",
            "a.toml:7: key follow_up (queue \"Lost\"): must be one of \"possible\", \"reject\", \"new-ticket\", not \"maybe\".",
            "a.toml:8: key valid (queue \"Lost\"): must be true, false or \"temporarily-invalid\".",
            "a.toml:12: key queue (system address \"a@b.test\"): there is no queue \"Nowhere\".",
            "a.toml:14: queue: the key `name` is missing.",
            "a.toml:15: key follow_up_lock (queue): must be true or false.",
            "a.toml:17: key host (account \"main\"): must name the server.",
            "a.toml:17: key user (account \"main\"): must name the login.",
            "a.toml:20: key port (account \"main\"): must be a port from 1 to 65535.",
            "a.toml:21: key dispatch (account \"main\"): there is no queue \"Elsewhere\".",
            "a.toml:22: key after_fetch (account \"main\"): must be \"delete\", \"seen\", \"move:FOLDER\" or \"keep\".",
            "a.toml:23: key tls.verfy (account \"main\"): there is no key `verfy` here; the keys are ca, client_certificate, client_key, verify, certificate, key.",
            "a.toml:26: key name (queue \"Lost\"): the queue \"Lost\" is there twice.",
            "a.toml:31: key grants (filter \"f\"): must be a list of grants, which are body, attachments, raw, final; \"http:example.org\" is reserved, and this version offers no HTTP to filters.",
            "a.toml:32: key limits.time (filter \"f\"): must be a duration from \"1ms\" to \"60s\".",
        ]
    );
}

#[test]
fn an_address_that_a_queue_sends_from_cannot_be_made_invalid() {
    let told = mistakes(
        "[[queue]]\nname = \"Support\"\naddress = \"Support@Desk.test\"\n\n[[system_address]]\naddress = \"support@desk.test\"\nqueue = \"Support\"\nvalid = false\n",
    );
    assert_eq!(
        told,
        [
            "a.toml:8: key valid (system address \"support@desk.test\"): it cannot be invalid: the queue \"Support\" sends from it; give the queue another address first."
        ]
    );
}

#[test]
fn addresses_are_one_whatever_their_case() {
    let told = mistakes(
        "[[system_address]]\naddress = \"a@b.test\"\nqueue = \"Raw\"\n[[system_address]]\naddress = \"A@B.test\"\nqueue = \"Raw\"\n",
    );
    assert_eq!(
        told,
        ["a.toml:5: key address (system address \"A@B.test\"): the system address \"a@b.test\" is there twice."]
    );
}

#[test]
fn the_last_address_that_an_answer_is_sent_from_cannot_be_made_invalid() {
    let answer = "[[auto_response]]\nname = \"Receipt\"\nqueue = \"Raw\"\n";
    let address = |name: &str, valid: bool| {
        format!("[[system_address]]\naddress = \"{name}@b.test\"\nqueue = \"Raw\"\nvalid = {valid}\n")
    };
    assert_eq!(mistakes(answer), [""; 0], "where there is no address at all nothing is taken away");
    assert_eq!(mistakes(&[answer, &address("a", false), &address("c", true)].concat()), [""; 0]);
    let told = mistakes(&[answer, &address("a", false)].concat());
    assert!(
        told.len() == 1 && told[0].contains("system address \"a@b.test\"") && told[0].contains("\"Receipt\""),
        "{told:?}"
    );
}

#[test]
fn pruning_removes_filters_and_makes_addresses_and_accounts_invalid() {
    let (_, mut whole) = draft(&whole(), &start());
    whole.configuration.auto_responses.clear();
    let file = ConfigurationFile::parse("[[queue]]\nname = \"Support\"\n");
    let mut pruned = Draft::of(&file.root, &whole.configuration, &in_clear);
    pruned.prune();
    assert!(pruned.configuration.filters.is_empty());
    assert_eq!(pruned.configuration.system_addresses["support@example.org"].valid, Validity::Invalid);
    assert_eq!(pruned.configuration.accounts["main"].valid, Validity::Invalid);
    assert!(pruned.configuration.accounts["local"].valid.is_valid());
    assert!(rules::check(&pruned.configuration).is_empty(), "the queue names no address any more");
    assert!(pruned.configuration.queues.contains_key("Raw"), "queues stay");
}

#[test]
fn pruning_an_address_that_a_queue_names_is_told_with_the_queue() {
    let (_, whole) = draft(&whole(), &start());
    let file = ConfigurationFile::parse("[settings]\n");
    let mut pruned = Draft::of(&file.root, &whole.configuration, &in_clear);
    pruned.prune();
    let breaches = rules::check(&pruned.configuration);
    pruned.add(breaches);
    let told = file.tell("a.toml", &pruned.problems);
    assert!(
        told.len() == 1
            && told[0].contains("system address \"support@example.org\"")
            && told[0].contains("queue \"Support\""),
        "{told:?}"
    );
}

#[test]
fn a_problem_of_a_filters_settings_is_told_at_its_line() {
    let (file, mut draft) = draft(&whole(), &start());
    let breach = Breach {
        kind: "filter",
        name: "10 Invoices".into(),
        place: "/settings/when/0/matches".into(),
        sentence: "the pattern is wrong.".into(),
    };
    draft.add(vec![breach]);
    let line = 1 + whole().lines().position(|line| line.starts_with("when =")).unwrap();
    assert_eq!(
        file.tell("whole.toml", &draft.problems),
        [format!("whole.toml:{line}: key settings.when[0].matches (filter \"10 Invoices\"): the pattern is wrong.")]
    );
}

#[test]
fn what_is_not_a_list_of_tables_is_told() {
    assert_eq!(mistakes("queue = 1\nfilters = []\n").len(), 2);
    assert_eq!(mistakes("[queue]\nname = \"x\"\n"), ["a.toml:1: key queue: there may be several: write [[queue]]."]);
    assert_eq!(mistakes("filter = [1]\n"), ["a.toml:1: filter: a filter must be a table."]);
}

#[test]
fn a_change_keeps_what_it_does_not_name() {
    let queue = Queue { name: "Support".into(), comment: "kept".into(), ..Queue::default() };
    let object = serde_json::json!({"follow_up": "reject"});
    let (queue, problems) = postigo_model::configured::form::read(queue, &object, "", &in_clear);
    assert_eq!(problems, Vec::<ConfigurationMistake>::new());
    assert_eq!((queue.follow_up, queue.comment.as_str()), (FollowUpOption::Reject, "kept"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_is_too_broken_to_be_told(text in "(\\[\\[?[a-z_.]{0,6}\\]?\\]?|[a-z]{0,3} ?= ?|\"[^\"]{0,3}\"?|[0-9.:eTn-]{0,24}|\\{|\\}|,|\n|\\PC){0,40}") {
        let (file, draft) = draft(&text, &start());
        file.tell("a.toml", &draft.problems);
    }
}
