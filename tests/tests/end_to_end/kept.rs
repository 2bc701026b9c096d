//! What is kept of each message, and what it takes on the disk.

use postigo_tests::gate::Gate;
use postigo_tests::postgres::Postgres;
use serde_json::Value;
use std::fmt::Write as _;

/// `match` filters, of which the last matches the mails below, and the last but one ends the chain on others.
fn filters(count: usize) -> String {
    let mut toml = String::new();
    for number in 0..count {
        let matches = if number + 1 == count { "pump".to_owned() } else { format!("order {number} is late") };
        let _ = writeln!(
            toml,
            "[[filter]]\nname = \"{number:04}\"\ncomponent = \"match\"\nstop_after_match = {}\n[filter.settings]\n\
             when = [ {{ header = \"Subject\", matches = \"{matches}\" }} ]\nset = [ {{ header = \"X-OTOBO-Priority\", value = \"4 high\" }} ]",
            number == 1
        );
    }
    toml
}

fn ingest(gate: &Gate, name: &str, mails: usize, subject: &str) -> Vec<Value> {
    let mut mbox = String::new();
    for number in 0..mails {
        let _ = write!(
            mbox,
            "From a@x.test Tue Nov 24 10:00:00 2026\nFrom: jane{number}@customer.test\nTo: desk@desk.test\nSubject: {subject} {number}\n\
             Message-ID: <{name}{number}@customer.test>\n\n{}\n",
            "The pump has stopped again.\n".repeat(30)
        );
    }
    let path = gate.folder().join(name);
    std::fs::write(&path, mbox).unwrap();
    gate.json(&["ingest", path.to_str().unwrap()])
}

fn every_filter_is_told_of(gate: &Gate) {
    gate.configure(&filters(4));
    let own = &ingest(gate, "a.mbox", 1, "pump")[0];
    assert!(own["filters"].as_array().unwrap().iter().all(|filter| filter["micros"].is_u64()), "{own}");
    let shown = gate.json(&["spool", "show", "1"]).remove(0);
    let filters = shown["result"]["filters"].as_array().unwrap();
    let outcomes: Vec<_> =
        filters.iter().map(|filter| (filter["outcome"].as_str().unwrap(), filter["micros"].is_null())).collect();
    assert_eq!(outcomes, [("not-matched", true), ("not-matched", true), ("not-matched", true), ("matched", false)]);
    assert_eq!(
        (&filters[0]["version"]["component"], filters[0]["version"]["digest"].as_str().map(str::len)),
        (&"match".into(), Some(64))
    );
    let stopped = &ingest(gate, "b.mbox", 1, "order 1 is late")[0];
    let told = gate.run(&["log", "show", stopped["communication"].as_str().unwrap()]);
    let place = |what: &str| told.find(what).unwrap_or_else(|| panic!("{what} is not in {told}"));
    let places = [
        "filter:0000: Not matched by match@",
        "filter:0001: Matched",
        "filter:0002: Not run: the chain had ended.",
        "filter:0003: Not run",
        "ticket: New ticket",
    ]
    .map(place);
    assert!(places.is_sorted(), "{told}");
}

#[test]
fn every_filter_is_told_of_whether_it_did_something_or_not() {
    every_filter_is_told_of(&Gate::new());
    if let Some(server) = Postgres::start() {
        every_filter_is_told_of(&Gate::on_postgres(&server.database(), None));
    }
}

/// Bytes that a mail takes in the database beyond its own.
fn beyond(gate: &Gate, filters: usize) -> u64 {
    const MAILS: usize = 1_000;
    gate.configure(&self::filters(filters));
    let size = || {
        gate.json(&["store", "compact"]);
        std::fs::metadata(gate.folder().join("postigo.db")).unwrap().len()
    };
    let before = size();
    let ended = ingest(gate, "many.mbox", MAILS, "pump");
    assert!(ended.len() == MAILS && ended.iter().all(|result| result["status"] == "filed"));
    let shown: u64 =
        ended.iter().map(|result| result["filters"].as_array().map_or(0, |filters| filters.len() as u64)).sum();
    assert_eq!(shown, (MAILS * filters) as u64);
    let own = gate.json(&["spool", "show", "1"])[0]["size"].as_u64().unwrap();
    (size() - before) / MAILS as u64 - own
}

#[test]
fn a_mail_takes_little_beyond_its_own_bytes_however_many_filters_judge_it() {
    let (few, many) = (beyond(&Gate::new(), 20), beyond(&Gate::new(), 100));
    println!("beyond its own bytes a mail takes {few} with 20 filters, {many} with 100");
    assert!(few < MOST_BEYOND, "{few} bytes a mail beyond its own, with 20 filters");
    assert!(many < few + 300, "{many} bytes with 100 filters, {few} with 20");
}

/// Of these most are the ticket, and the article with the mail's text.
const MOST_BEYOND: u64 = 3_500;
